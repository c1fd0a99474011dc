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
    """A batch with the right shape and type and arbitrary values."""
    return torch.ones(rows, *inputs.shape, dtype=getattr(torch, inputs.dtype), device=device)


def examples(inputs: NamedInputs, rows: int, device: torch.device | str = "cpu") -> NetworkInput:
    """Like `example`, for all inputs of a network."""
    made = {name: example(each, rows, device) for name, each in inputs.items()}
    return made if len(made) > 1 else made[ONLY]


MANY_EPOCHS = 200
"""The largest number of epochs because of `least_steps`. With more epochs of few rows, checkpoints take most time."""


@dataclass(frozen=True)
class Recipe:
    """Default hyperparameters of an architecture."""

    optimizer: str
    lr: float
    epochs: int
    batch_size: int
    schedule: str = "constant"
    weight_decay: float = 0.0
    clip_norm: float | None = None
    most_inputs: int | None = None
    """`lr` is for rows of at most this many numbers. For more numbers the rate is proportionally lower: every input
    changes its weight in each step, so the outputs would change too much."""
    least_steps: int = 0
    """The least number of steps. With few rows, more epochs than `epochs` are used to reach it."""

    def lr_of(self, inputs: int) -> float:
        """The learning rate for rows of `inputs` numbers, rounded to two digits."""
        if self.most_inputs is None or inputs <= self.most_inputs:
            return self.lr
        return float(f"{self.lr * self.most_inputs / inputs:.2g}")

    def epochs_of(self, steps_per_epoch: int) -> int:
        """The number of epochs for a training part of `steps_per_epoch` batches."""
        return max(self.epochs, min(MANY_EPOCHS, math.ceil(self.least_steps / steps_per_epoch)))


class Architecture(Buildable, ABC):
    """A network from inputs to K outputs per row (one per class, or one value).

    An architecture with a single input overrides `build`; its modules have `forward(x)`. An architecture with several
    inputs overrides `inputs` and `build_for`; its modules take each input by name: `forward(words, numbers)`.
    """

    accepts: ClassVar[frozenset[InputKind]]
    """Kinds of tensors that it reads; with several inputs, the kinds of all of them."""
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"row"})
    """The levels for which it can give answers. A target requires one of these levels."""
    recipe: ClassVar[Recipe]
    """Defaults of gradient descent; other training methods have their own."""
    training_method: ClassVar[str] = "gradient_descent"
    """The file in `models/planning/methods/` and in `worker/training/methods/` of the method that trains this."""
    exports: ClassVar[frozenset[ExportFormat]] = frozenset({"onnx", "pt2", "bundle"})
    """Formats in which a checkpoint can be exported. A network that torch.export cannot trace has only `bundle`."""

    any_length: ClassVar[bool] = False
    """Whether a row may have more words than the inputs it was built for."""

    @property
    def reach(self) -> int:
        """Tokens before a window that the network also reads; only for language models with a fixed context."""
        return 0

    @property
    def inputs(self) -> Mapping[str, frozenset[InputKind]]:
        """Names of the input tensors and the kinds that each may have.

        Each column goes to the first input that accepts it.
        """
        return {ONLY: self.accepts}

    @classmethod
    def listed_inputs(cls) -> dict[str, list[str]]:
        return {name: sorted(kinds) for name, kinds in cls.model_validate({}).inputs.items()}

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        """A module from x_B… to y_BK, or to y_BTK if inputs.per_word. Raises SpecError.

        Its weights are drawn from torch's global generator.
        """
        raise AssertionError(f"{self.kind} reads several inputs")

    def build_for(self, inputs: NamedInputs, outputs: int) -> nn.Module:
        """Like `build`, for all named inputs."""
        return self.build(only(inputs), outputs)

    def without_manual(self) -> str | None:
        """Why the engine `manual` cannot train this network; None if it has its derivatives."""
        return "it has derivatives for stacks of dense layers alone"

    def settled(self, causal: bool) -> Self:
        """A copy with defaults that depend on the task filled in. `causal`: the task is to predict the next token."""
        return self

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        ARCHITECTURES.add(cls)


class Counted(nn.Module, ABC):
    """A language model that reads the training text once and counts. Its counts are buffers, empty before that."""

    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_pre_hook(_make_room)  # type: ignore[no-untyped-call]

    @abstractmethod
    def count(self, tokens_n: torch.Tensor) -> float:
        """Read a text with end marks between documents. Returns the mean of -log p of its tokens after the first."""

    @abstractmethod
    def most(self, tokens: int) -> int:
        """The largest number of values that it stores for a text of `tokens` tokens. A value has at most 8 bytes."""


def _make_room(module: nn.Module, saved: dict[str, torch.Tensor], prefix: str, *_rest: object) -> None:
    """Resize the buffers to the sizes in the state dict that is being loaded."""
    for name, buffer in list(module.named_buffers()):
        if prefix + name in saved:
            path, _, last = name.rpartition(".")
            setattr(module.get_submodule(path), last, buffer.new_empty(saved[prefix + name].shape))


ARCHITECTURES: Registry[Architecture] = Registry("architectures")
