"""PyTorch's autograd, operation by operation: for every network."""

from collections.abc import Sequence

import torch
from torch import nn

from models.nn.dropout import StepRandom
from worker.training.batch import Batch
from worker.training.stages.evaluation import joined
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
        if how.accumulate > 1:
            return self._accumulate(how, batch)
        y_BK = how.outputs(self.trained, batch.x)
        return y_BK, batch.loss(how.criterion, y_BK)

    def _accumulate(self, how: Forward, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Outputs and loss of all micro-batches. The gradients of all but the last are added up already."""
        outputs, loss, targets = [], torch.zeros((), device=batch.t.device), batch.targets
        for piece in batch.split(how.accumulate):
            if loss.requires_grad:
                self.backward(loss)
                loss = loss.detach()
            y_BK = how.outputs(self.trained, piece.x)
            outputs.append(y_BK.detach())
            if count := piece.targets:
                loss = loss + piece.loss(how.criterion, y_BK) * (count / targets)
        return joined(outputs), loss

    def backward(self, loss: torch.Tensor) -> None:
        # The last micro-batch may have no targets.
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]

    def gradients(self) -> Sequence[torch.Tensor]:
        return [parameter.grad for parameter in self._parameters if parameter.grad is not None]


ENGINE = Eager
