"""The training loop: a generator of steps. Training stops when the caller stops iterating.

    for step in fit(learner, train, val):
        print(step.number, step.series)

A step has five stages: forward, backward, clip, update, average. Observers are called after each stage.

Shape letters: N rows of a part, B rows of a batch, K outputs.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from models.data.preparation.examples import Part
from worker.training.batch import Batch
from worker.training.learner import Learner
from worker.training.loader import Batches, Supply, load
from worker.training.stages.progress import track


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


@dataclass
class StepTensors:
    """Tensors that the stages of a step pass on."""

    batch: Batch
    reports: bool
    """The step reports its series. What an observer computes in other steps is not shown."""
    y_BK: torch.Tensor
    """Outputs, after `forward`; detached after `backward`."""
    loss: torch.Tensor
    """After `forward`; detached after `backward`."""
    grad_norm: torch.Tensor
    """The norm of the gradient before clipping, after `clip`."""

    @classmethod
    def of(cls, batch: Batch, reports: bool) -> "StepTensors":
        """The tensors before the first stage: all but the batch are empty."""
        nothing = torch.empty(0)
        return cls(batch, reports, nothing, nothing, nothing)


class Observer(Protocol):
    """Observes a training between the stages of its steps, and may add series.

    An observer must change nothing and draw no random numbers: the weights must have the same bytes without it.
    """

    def observe(self, stage: str, learner: Learner, tensors: StepTensors) -> None:
        """Called after each stage: `forward`, `backward`, `clip`, `update`, `average`."""

    def series(self) -> dict[str, float]:
        """Series to add to those of the step. Called after the last stage of a step that reports."""


def forward(learner: Learner, tensors: StepTensors) -> None:
    """Compute outputs and loss in training mode. Frozen modules stay in evaluation mode."""
    model, config, batch = learner.model, learner.config, tensors.batch
    if not model.training:
        # An evaluation has been since the last step.
        learner.train()
    for parameter in learner.parameters:
        parameter.grad = None
    tensors.y_BK = config.forward.outputs(model, batch.x)
    tensors.loss = batch.loss(config.forward.criterion, tensors.y_BK)


def backward(learner: Learner, tensors: StepTensors) -> None:
    """Compute the gradients of the loss and of the l1 penalty. The reported loss does not include the penalty."""
    tensors.loss.backward()  # type: ignore[no-untyped-call]
    tensors.loss, tensors.y_BK = tensors.loss.detach(), tensors.y_BK.detach()
    learner.config.regularization.add_l1_gradient(learner.model)


def clip(learner: Learner, tensors: StepTensors) -> None:
    """Clip the gradient, and keep its norm before clipping."""
    tensors.grad_norm = learner.config.clipping.apply(learner.parameters)


def update(learner: Learner, tensors: StepTensors) -> None:
    """Take a step of the optimizer, then apply the max-norm constraint to the output layers."""
    learner.optimizer.step()
    learner.config.regularization.constrain(learner.readout)


def average(learner: Learner, tensors: StepTensors) -> None:
    """Update the moving average of the weights (EMA)."""
    learner.config.averaging.after_step(learner.model, learner.average)


STAGES = (forward, backward, clip, update, average)


def step(learner: Learner, batch: Batch, observers: Sequence[Observer] = (), reports: bool = True) -> StepTensors:
    """Run all stages in order for one batch. Observers are called after each stage."""
    tensors = StepTensors.of(batch, reports)
    learner.random.begin(learner.state.step, learner.device)
    for stage in STAGES:
        stage(learner, tensors)
        for observer in observers:
            observer.observe(stage.__name__, learner, tensors)
    return tensors


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
