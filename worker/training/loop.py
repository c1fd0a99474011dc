"""The training loop: a generator of steps. Training stops when the caller stops iterating.

    for step in fit(learner, train, val):
        print(step.number, step.series)

Shape letters: N rows of a part, B rows of a batch, K outputs.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.data.preparation.examples import Part
from worker.training.learner import Learner
from worker.training.loader import Batches, Supply, load
from worker.training.stages.progress import track
from worker.training.step import Observer, step


class NonFinite(ArithmeticError):
    """The loss, or the norm of its gradient, is NaN or infinite."""

    def __init__(self, step: int, value: float, lr: float, what: str = "loss") -> None:
        super().__init__(f"the {what} became {value} at step {step}, with a learning rate of {lr:g}")
        self.step = step


@dataclass(frozen=True)
class Step:
    """The result of one step. `series` is empty between reports."""

    number: int
    epoch: float
    series: dict[str, float]
    score: float | None = None
    """Value of the series that chooses the best checkpoint. None if this step has no finite value of it."""
    improved: bool = False
    last: bool = False


def fit(learner: Learner, train: Part | Supply, val: Part | None, observers: Sequence[Observer] = ()) -> Iterator[Step]:
    """Train from the learner's current step to its last one. Raises NonFinite."""
    config, state = learner.config, learner.state
    batching, evaluation = config.batching, config.evaluation
    if state.step >= batching.steps or state.stopped:
        return
    began, rows, device = time.monotonic(), 0, learner.device
    for loaded in load(Batches(train, batching), state.step):
        batch = loaded.to(device)
        rate = learner.set_rate()
        last = state.step + 1 == batching.steps
        reports = (state.step + 1) % config.every_steps == 0 or last
        tensors = step(learner, batch, observers, reports)
        state.step += 1
        rows += len(batch)

        series: dict[str, float] = {}
        ends_epoch = state.step % batching.steps_per_epoch == 0 or last
        # Reading a value from a GPU waits for the GPU, so on a GPU both are checked only at reports.
        if reports or ends_epoch or not tensors.loss.is_cuda:
            for what, value in (("loss", tensors.loss), ("norm of the gradient", tensors.grad_norm)):
                if not math.isfinite(value):
                    raise NonFinite(state.step, float(value), rate, what)
        if reports:
            series = {"train/loss": float(tensors.loss), "lr": rate, "grad_norm": float(tensors.grad_norm)}
            measured = (evaluation.measure_step or evaluation.measure)(tensors.y_BK, batch.dominant)
            series |= {f"train/{name}": value for name, value in measured.items()}
            for observer in observers:
                series |= observer.series()
        # Free memory for an evaluation.
        del tensors, batch, loaded
        score, improved = None, False
        if ends_epoch:
            learner.average_epoch()
            series["samples_per_second"] = rows / max(1e-9, time.monotonic() - began)
            if val is not None:
                series |= {f"val/{name}": value for name, value in learner.evaluate(val).items()}
                score, improved = track(config.progress, state, series)
            began, rows = time.monotonic(), 0
        yield Step(
            state.step,
            state.step / batching.steps_per_epoch,
            series,
            score,
            improved,
            last or state.stopped,
        )
        if state.stopped:
            return
