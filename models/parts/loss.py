"""Losses: the number that training minimizes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch

from models.registry import Buildable, Registry

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Slope = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""From y_NK, t_N and scale_N: the losses of the rows, loss_N, and scale_n · ∂loss_n/∂y_NK."""


class Loss(Buildable, ABC):
    """The number that training minimizes."""

    tasks: ClassVar[frozenset[str]]

    @abstractmethod
    def build(self) -> Criterion:
        """From outputs y_BK and targets (class numbers t_B, or values t_B) to a scalar, the mean over rows."""

    def build_for(self, counts_K: torch.Tensor | None) -> Criterion:
        """Like `build`, with the number of training rows per class, which losses with class weights need."""
        return self.build()

    def slope(self) -> Slope | None:
        """The derivative in closed form, for small networks, where autograd takes longer than the rest of a step.

        None if there is none, or if `build_for` weights classes.
        """
        return None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        LOSSES.add(cls)


def class_weights(counts_K: torch.Tensor | None) -> torch.Tensor:
    """Weights w_K = N / (K n_k) that give all classes the same total (King and Zeng 2001); n_k is at least 1."""
    assert counts_K is not None, "class weights need the class counts of the training part"
    return counts_K.sum() / (len(counts_K) * counts_K.clamp(min=1))


LOSSES: Registry[Loss] = Registry("losses")
