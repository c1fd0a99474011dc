"""Engines: how outputs, loss and gradients of a step are computed. Each is a file in `engines/`."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn

from worker.training.batch import Batch
from worker.training.stages.forward import Forward


class Engine(Protocol):
    """Computes the gradients of one network. It agrees with PyTorch's autograd up to rounding.

    Shape letters: B rows of a batch, K outputs.
    """

    trained: nn.Module
    """The module whose parameters an optimizer changes: the network itself, or the same weights in fewer tensors."""

    def forward(self, how: Forward, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """y_BK and the loss, a scalar."""

    def backward(self, loss: torch.Tensor) -> None:
        """Set the gradients of the loss that `forward` returned, in place of those before."""

    def gradients(self) -> Sequence[torch.Tensor]:
        """The gradients of all parameters, each of them once."""


class EngineKind(Protocol):
    """An engine for the network of a learner. Its file names it ENGINE."""

    def __call__(self, model: nn.Module) -> Engine: ...
