"""Networks: from named inputs to outputs.

Shape letters: B rows of a batch, F features, C channels, H height, W width, T words, K outputs.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import nn

from athanor.contract import ExportFormat
from models.nn.named_tensors import NetworkInput
from models.parts.inputs import ONLY, NamedInputs, only
from models.parts.inputs import AnswerLevel as AnswerLevel
from models.parts.inputs import InputKind as InputKind
from models.parts.inputs import Inputs as Inputs
from models.registry import Buildable, Registry


def example(inputs: Inputs, rows: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """A batch of the right shape and type; its values mean nothing."""
    if inputs.kind == "text":
        return torch.ones(rows, *inputs.shape, dtype=torch.int64, device=device)
    return torch.zeros(rows, *inputs.shape, device=device)


def examples(inputs: NamedInputs, rows: int, device: torch.device | str = "cpu") -> NetworkInput:
    """The same for all inputs of a network."""
    made = {name: example(each, rows, device) for name, each in inputs.items()}
    return made if len(made) > 1 else made[ONLY]


MANY_EPOCHS = 200
"""More passes over a few rows would cost more in checkpoints than they teach."""


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
    most_inputs: int | None = None
    """`lr` is for so many; with more it falls in proportion, where a step of all weights at once would be too far."""
    least_steps: int = 0
    """Where `epochs` are fewer steps than this, there are more of them: few rows are to be learned to the end too."""

    def lr_of(self, inputs: int) -> float:
        """The learning rate for rows of so many numbers, to two digits."""
        if self.most_inputs is None or inputs <= self.most_inputs:
            return self.lr
        return float(f"{self.lr * self.most_inputs / inputs:.2g}")

    def epochs_of(self, steps_per_epoch: int) -> int:
        """How many, for a training part of so many batches."""
        return max(self.epochs, min(MANY_EPOCHS, math.ceil(self.least_steps / steps_per_epoch)))


COUNTED = Recipe("", lr=0.0, epochs=1, batch_size=32)
"""The recipe where nothing descends: what the architecture builds is `Counted`, and a batch is for evaluation."""


class Architecture(Buildable, ABC):
    """A network: from inputs to K outputs a row (classes, or one value).

    One with a single input overrides `build`, and its modules have `forward(x)`. One with several overrides `inputs`
    and `build_for`, and its modules have a keyword for each name: `forward(words, numbers)`.
    """

    accepts: ClassVar[frozenset[InputKind]]
    """Kinds of tensors that it reads; of several inputs, those of any."""
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"row"})
    """What it gives an answer for: a target asks for one of them."""
    recipe: ClassVar[Recipe]
    training_method: ClassVar[str] = "gradient_descent"
    """The file of `worker/training/methods/` that trains what this builds."""
    exports: ClassVar[frozenset[ExportFormat]] = frozenset({"onnx", "pt2", "bundle"})
    """Formats a checkpoint can be exported in. A network that torch.export cannot follow has `bundle` alone."""

    any_length: ClassVar[bool] = False
    """Whether a row may have more words than the inputs it was built for."""

    @property
    def reach(self) -> int:
        """Tokens before a window that are shown with it, to a language model that looks back so far and no farther."""
        return 0

    @property
    def inputs(self) -> Mapping[str, frozenset[InputKind]]:
        """Names of the tensors that its network reads, and the kinds that each may have.

        Columns are given to the first input that takes them.
        """
        return {ONLY: self.accepts}

    @classmethod
    def listed_inputs(cls) -> dict[str, list[str]]:
        return {name: sorted(kinds) for name, kinds in cls.model_validate({}).inputs.items()}

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        """A module from x_B… to y_BK, or to y_BTK where inputs.per_word. Raises SpecError.

        Its weights are drawn from torch's global generator.
        """
        raise AssertionError(f"{self.kind} reads several inputs")

    def build_for(self, inputs: NamedInputs, outputs: int) -> nn.Module:
        """The same from all named inputs."""
        return self.build(only(inputs), outputs)

    def settled(self, causal: bool) -> Self:
        """The same with every field filled in that depends on whether the next word is what is asked for."""
        return self

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        ARCHITECTURES.add(cls)


class Counted(nn.Module, ABC):
    """A language model that is made by reading the training text once. What it counts are buffers, 0 long at first."""

    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_pre_hook(_make_room)  # type: ignore[no-untyped-call]

    @abstractmethod
    def count(self, tokens_n: torch.Tensor) -> float:
        """Read a text, its documents between end marks. Returns the mean of -log p of its tokens after the first."""

    @abstractmethod
    def most(self, tokens: int) -> int:
        """How many numbers it keeps of so many tokens, at most; none is larger than eight bytes."""


def _make_room(module: nn.Module, saved: dict[str, torch.Tensor], prefix: str, *_rest: object) -> None:
    """Buffers as long as what is about to be loaded into them."""
    for name, buffer in list(module.named_buffers()):
        if prefix + name in saved:
            path, _, last = name.rpartition(".")
            setattr(module.get_submodule(path), last, buffer.new_empty(saved[prefix + name].shape))


ARCHITECTURES: Registry[Architecture] = Registry("architectures")
