"""Augmentations: changes of training examples."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import AnswerLevel, InputKind, Inputs
from models.registry import Buildable, Registry

Change = Callable[[torch.Tensor, CounterRNG], torch.Tensor]


class Augmentation(Buildable, ABC):
    """A change of training examples, drawn anew in each epoch. Validation, test and prediction never see it."""

    accepts: ClassVar[frozenset[InputKind]]
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"row"})
    """Targets that stay true of changed examples: an answer a row, or one for each word or token."""
    mixes: ClassVar[bool] = False
    """Whether an example becomes partly another one, its partner, with a share of the partner's target."""

    @abstractmethod
    def build(self, inputs: Inputs) -> Change:
        """From encoded inputs x_B… to changed ones of the same shape, each row by its own draws.

        What mixes answers with keep_B…, of a shape that fits x_B…: the share, from 0 to 1, that is left of every
        number; the rest is the partner's. Raises Refusal with a pointer that starts at the augmentation.
        """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        AUGMENTATIONS.add(cls)


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentations")
