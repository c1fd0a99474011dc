"""Engines: how outputs, loss and gradients of a step are computed. Each is a file in `engines/`, named ENGINE there."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

import torch
from torch import nn

from models.nn.dropout import StepRandom
from worker.training.batch import Batch
from worker.training.stages.forward import Forward


class Engine(Protocol):
    """Computes the gradients of one network. It agrees with PyTorch's autograd up to rounding.

    Shape letters: B rows of a batch, K outputs.
    """

    trained: nn.Module
    """The module whose parameters an optimizer changes: the network itself, or the same weights in fewer tensors."""

    def forward(self, how: Forward, batch: Batch, random: StepRandom) -> tuple[torch.Tensor, torch.Tensor]:
        """y_BK and the loss, a scalar. `random` has the random numbers of the step."""

    def backward(self, loss: torch.Tensor) -> None:
        """Set the gradients of the loss that `forward` returned, in place of those before."""

    def gradients(self) -> Sequence[torch.Tensor]:
        """The gradients of all parameters, each of them once."""


def engine_of(name: str) -> Callable[[nn.Module], Engine]:
    """Makes the engine with this name for a network. An engine may move the network's parameters."""
    # A spec that was resolved when there was one engine says auto.
    file = "eager" if name == "auto" else name
    engine: Callable[[nn.Module], Engine] = import_module(f"worker.training.engines.{file}").ENGINE
    return engine
