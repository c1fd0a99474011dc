"""Losses: a number to make small."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch

from models.registry import Buildable, Registry

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Loss(Buildable, ABC):
    """A number to make small."""

    tasks: ClassVar[frozenset[str]]

    @abstractmethod
    def build(self) -> Criterion:
        """From outputs y_BK and targets (class numbers t_B, or values t_B) to a scalar, the mean over rows."""

    def build_for(self, counts_K: torch.Tensor | None) -> Criterion:
        """The same for a training part with so many rows of each class, for the losses that weigh classes by them."""
        return self.build()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        LOSSES.add(cls)


def balance(counts_K: torch.Tensor | None) -> torch.Tensor:
    """Weights w_K that make all classes count the same: N / (K n_k) (King and Zeng 2001). No row counts as one."""
    assert counts_K is not None, "class weights follow from the training part"
    return counts_K.sum() / (len(counts_K) * counts_K.clamp(min=1))


LOSSES: Registry[Loss] = Registry("losses")
