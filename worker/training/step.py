"""A step of training in five stages: forward, backward, clip, update, average. Observers are called after each.

Shape letters: B rows of a batch, K outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from worker.training.batch import Batch
from worker.training.learner import Learner


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

    def release(self) -> None:
        """Free the memory of batch and outputs."""
        nothing = torch.empty(0)
        self.batch, self.y_BK = Batch(nothing, nothing), nothing


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
    if not learner.model.training:
        # An evaluation has been since the last step.
        learner.train()
    learner.random.begin(learner.state.step, learner.device)
    tensors.y_BK, tensors.loss = learner.engine.forward(learner.config.forward, tensors.batch, learner.random)


def backward(learner: Learner, tensors: StepTensors) -> None:
    """Compute the gradients of the loss and of the l1 penalty. The reported loss does not include the penalty."""
    learner.engine.backward(tensors.loss)
    tensors.loss, tensors.y_BK = tensors.loss.detach(), tensors.y_BK.detach()
    learner.config.regularization.add_l1_gradient(learner.model)


def clip(learner: Learner, tensors: StepTensors) -> None:
    """Clip the gradient, and keep its norm before clipping."""
    tensors.grad_norm = learner.config.clipping.apply(learner.engine.gradients())


def update(learner: Learner, tensors: StepTensors) -> None:
    """Take a step of the optimizer, then apply the max-norm constraint to the output layers."""
    learner.update()
    learner.config.regularization.constrain(learner.readout)


def average(learner: Learner, tensors: StepTensors) -> None:
    """Update the moving average of the weights (EMA)."""
    learner.config.averaging.after_step(learner.model, learner.average)


STAGES = (forward, backward, clip, update, average)


def step(learner: Learner, batch: Batch, observers: Sequence[Observer] = (), reports: bool = True) -> StepTensors:
    """Run all stages in order for one batch. Observers are called after each stage."""
    tensors = StepTensors.of(batch, reports)
    for stage in STAGES:
        stage(learner, tensors)
        for observer in observers:
            observer.observe(stage.__name__, learner, tensors)
    return tensors
