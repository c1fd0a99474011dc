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
from worker.training.batch import Batch
from worker.training.learner import Learner
from worker.training.loader import Batches, Supply, load
from worker.training.stages.progress import track
from worker.training.step import Observer, StepTensors, step


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


class LearnerLoop:
    """The loop of one learner: what comes before and after each step, whoever takes it."""

    def __init__(
        self, learner: Learner, train: Part | Supply, val: Part | None, observers: Sequence[Observer] = ()
    ) -> None:
        self.learner, self.val, self.observers = learner, val, observers
        self._batches = load(Batches(train, learner.config.batching), learner.state.step)
        self._began, self._rows, self._rate = time.monotonic(), 0, 0.0

    @property
    def is_over(self) -> bool:
        state = self.learner.state
        return state.stopped or state.step >= self.learner.config.batching.steps

    @property
    def _is_last(self) -> bool:
        return self.learner.state.step + 1 == self.learner.config.batching.steps

    @property
    def reports(self) -> bool:
        """Whether the next step reports its series."""
        return (self.learner.state.step + 1) % self.learner.config.every_steps == 0 or self._is_last

    def begin(self) -> Batch:
        """The batch of the next step, for which the learning rate is set."""
        batch = next(self._batches).to(self.learner.device)
        self._rate = self.learner.set_rate()
        return batch

    def conclude(self, tensors: StepTensors) -> Step:
        """Count the step and measure what it reports. At the end of an epoch, evaluate. Raises NonFinite."""
        learner, state = self.learner, self.learner.state
        batching, evaluation = learner.config.batching, learner.config.evaluation
        last, reports = self._is_last, tensors.reports
        state.step += 1
        self._rows += len(tensors.batch)
        series: dict[str, float] = {}
        ends_epoch = state.step % batching.steps_per_epoch == 0 or last
        # Reading a value from a GPU waits for the GPU, so on a GPU both are checked only at reports.
        if reports or ends_epoch or not tensors.loss.is_cuda:
            loss, norm = float(tensors.loss), float(tensors.grad_norm)
            for what, value in (("loss", loss), ("norm of the gradient", norm)):
                if not math.isfinite(value):
                    raise NonFinite(state.step, value, self._rate, what)
            if reports:
                series = {"train/loss": loss, "lr": self._rate, "grad_norm": norm}
                measured = (evaluation.measure_step or evaluation.measure)(tensors.y_BK, tensors.batch.dominant)
                series |= {f"train/{name}": value for name, value in measured.items()}
                for observer in self.observers:
                    series |= observer.series()
        score, improved = None, False
        if ends_epoch:
            # Free memory for an evaluation.
            tensors.release()
            score, improved = self._end_epoch(series)
        return Step(state.step, state.step / batching.steps_per_epoch, series, score, improved, last or state.stopped)

    def _end_epoch(self, series: dict[str, float]) -> tuple[float | None, bool]:
        """Evaluate, and add to `series`. Returns the score, and whether it is the best so far."""
        learner, score, improved = self.learner, None, False
        learner.average_epoch()
        series["samples_per_second"] = self._rows / max(1e-9, time.monotonic() - self._began)
        if self.val is not None:
            series |= {f"val/{name}": value for name, value in learner.evaluate(self.val).items()}
            score, improved = track(learner.config.progress, learner.state, series)
        self._began, self._rows = time.monotonic(), 0
        return score, improved


def fit(learner: Learner, train: Part | Supply, val: Part | None, observers: Sequence[Observer] = ()) -> Iterator[Step]:
    """Train from the learner's current step to its last one. Raises NonFinite."""
    loop = LearnerLoop(learner, train, val, observers)
    while not loop.is_over:
        yield loop.conclude(step(learner, loop.begin(), observers, loop.reports))
