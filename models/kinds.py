"""The five kinds of part side by side, and the shapes on which they agree.

Shape letters: B rows of a batch, F features, C channels, H height, W width, T words, K outputs.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from pydantic import ConfigDict, Field
from torch import nn

from athanor.contract import Part
from models.registry import Shelf
from models.table import Source

InputKind = Literal["vector", "image", "text"]
Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Refusal(ValueError):
    """A spec that cannot work. `pointer` is a JSON Pointer into the spec."""

    def __init__(self, pointer: str, message: str, *, code: str = "cannot_work", suggestion: str | None = None) -> None:
        super().__init__(message)
        self.pointer, self.message, self.code, self.suggestion = pointer, message, code, suggestion


@dataclass(frozen=True)
class Inputs:
    """What an architecture receives: vectors x_BF, images x_BCHW, or word numbers x_BT (0 pads, 1 is unknown)."""

    kind: InputKind
    shape: tuple[int, ...]
    vocabulary: int = 0
    rare: int = 2**31
    """Words from this number on were seen once in training."""
    per_word: bool = False
    """One answer a word, y_BTK, instead of one a row."""
    causal: bool = False
    """No answer may depend on later words: the next word is what is asked for."""

    @property
    def features(self) -> int:
        """Numbers in one row."""
        return int(torch.Size(self.shape).numel())

    def example(self, rows: int, device: torch.device | str = "cpu") -> torch.Tensor:
        """A batch of the right shape and type; its values mean nothing."""
        if self.kind == "text":
            return torch.ones(rows, *self.shape, dtype=torch.int64, device=device)
        return torch.zeros(rows, *self.shape, device=device)


@dataclass(frozen=True)
class Recipe:
    """The training an architecture does well with when the user says nothing."""

    optimizer: str
    lr: float
    epochs: int
    batch_size: int
    schedule: str = "constant"
    weight_decay: float = 0.0
    clip_norm: float | None = None


class Buildable(Part):
    """A part that the server can build: fields are known and bounded."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class Architecture(Buildable, ABC):
    """A network: from inputs to K outputs a row (classes, or one value)."""

    accepts: ClassVar[frozenset[InputKind]]
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression"})
    recipe: ClassVar[Recipe]

    @abstractmethod
    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        """A module from x_B… to y_BK, or to y_BTK where inputs.per_word. Raises Refusal.

        Its weights are drawn from torch's global generator.
        """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        ARCHITECTURES.add(cls)


class Loss(Buildable, ABC):
    """A number to make small."""

    tasks: ClassVar[frozenset[str]]

    @abstractmethod
    def build(self) -> Criterion:
        """From outputs y_BK and targets (class numbers t_B, or values t_B) to a scalar, the mean over rows."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        LOSSES.add(cls)


class Optimizer(Buildable, ABC):
    """A rule that turns gradients into steps."""

    lr: float = Field(gt=0, le=1000, description="learning rate at the top of the schedule")
    weight_decay: float = Field(0.0, ge=0, le=1000, description="pull of every weight towards 0")
    states: ClassVar[int] = 2
    """Numbers kept per parameter, for the memory estimate."""

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimizer over `parameters`."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        OPTIMIZERS.add(cls)


class Schedule(Buildable, ABC):
    """The learning rate over time, as a factor of the optimizer's: a function of the step, with no memory."""

    warmup_steps: int = Field(0, ge=0, le=100_000_000, description="steps over which the rate rises from 0, linearly")

    @abstractmethod
    def shape(self, step: int, steps: int) -> float:
        """The factor at `step` of `steps`, both counted from the end of the warm-up."""

    def factor(self, step: int, steps: int) -> float:
        """The factor for the step numbered `step`, from 0, of `steps`."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.shape(step - self.warmup_steps, max(1, steps - self.warmup_steps))

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        SCHEDULES.add(cls)


class BuiltIn(Buildable, ABC):
    """A dataset that comes with the service. Its id is its kind."""

    @abstractmethod
    def source(self) -> Source:
        """The rows, always the same and in the same order."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        DATASETS.add(cls)


ARCHITECTURES: Shelf[Architecture] = Shelf("architectures")
LOSSES: Shelf[Loss] = Shelf("losses")
OPTIMIZERS: Shelf[Optimizer] = Shelf("optimizers")
SCHEDULES: Shelf[Schedule] = Shelf("schedules")
DATASETS: Shelf[BuiltIn] = Shelf("datasets")
