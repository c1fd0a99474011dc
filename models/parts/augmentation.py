"""Augmentations: random transforms of training examples."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.inputs import AnswerLevel, InputKind, Inputs, NamedInputs
from models.registry import Buildable, Registry

Transform = Callable[[torch.Tensor, CounterRNG], torch.Tensor]


class Augmentation(Buildable, ABC):
    """A random transform of training examples, new in each epoch. Validation, test and prediction do not use it."""

    accepts: ClassVar[frozenset[InputKind]]
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"row"})
    """The answer levels for which the target of a changed example stays correct."""
    mixes: ClassVar[bool] = False
    """Whether an example is mixed with another one, its partner. The targets are mixed in the same ratio."""

    input: str | None = Field(
        None, max_length=100, description="the input that is changed, of an architecture that has several"
    )

    def changes(self, inputs: NamedInputs) -> str | None:
        """The name of the input that it changes. None if no input fits, or if several fit and `input` is not set."""
        fitting = [name for name, each in inputs.items() if each.kind in self.accepts]
        if self.input is not None:
            return self.input if self.input in fitting else None
        return fitting[0] if len(fitting) == 1 else None

    @abstractmethod
    def build(self, inputs: Inputs) -> Transform:
        """A function from encoded inputs x_B… to inputs of the same shape; each row has its own random numbers.

        Where `mixes` is true, the function returns keep_B… instead, which broadcasts to x_B…: the share, from 0 to 1,
        that every number keeps; the rest comes from the partner. Raises SpecError with a pointer relative to the
        augmentation.
        """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        AUGMENTATIONS.add(cls)


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentations")
