"""PyTorch's autograd, operation by operation: for every network."""

from collections.abc import Sequence

import torch
from torch import nn

from models.nn.dropout import StepRandom
from worker.training.batch import Batch
from worker.training.stages.forward import Forward


class Eager:
    """Each operation runs when Python reaches it."""

    def __init__(self, model: nn.Module) -> None:
        self.trained = model
        # Collected once: each step goes through them several times, and `requires_grad` never changes in a training.
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def forward(self, how: Forward, batch: Batch, random: StepRandom) -> tuple[torch.Tensor, torch.Tensor]:
        for parameter in self._parameters:
            parameter.grad = None
        y_BK = how.outputs(self.trained, batch.x)
        return y_BK, batch.loss(how.criterion, y_BK)

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]

    def gradients(self) -> Sequence[torch.Tensor]:
        return [parameter.grad for parameter in self._parameters if parameter.grad is not None]


ENGINE = Eager
