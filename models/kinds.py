"""The six kinds of part side by side, and the shapes on which they agree.

Shape letters: B rows of a batch, F features, C channels, H height, W width, T words, K outputs.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import ConfigDict, Field
from torch import nn
from torch.optim.optimizer import ParamsT

from athanor.contract import ExportFormat, Part
from models.draws import Draws
from models.registry import Shelf
from models.table import Source

InputKind = Literal["vector", "image", "text"]
Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Change = Callable[[torch.Tensor, Draws], torch.Tensor]


class Refusal(ValueError):
    """A spec that cannot work. `pointer` is a JSON Pointer into the spec."""

    def __init__(self, pointer: str, message: str, *, code: str = "cannot_work", suggestion: str | None = None) -> None:
        super().__init__(message)
        self.pointer, self.message, self.code, self.suggestion = pointer, message, code, suggestion

    def below(self, place: str) -> "Refusal":
        """The same of a spec that is not a whole body but stands at `place` in it."""
        return Refusal(place + self.pointer, self.message, code=self.code, suggestion=self.suggestion)


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


class Buildable(Part):
    """A part that the server can build: fields are known and bounded."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class Architecture(Buildable, ABC):
    """A network: from inputs to K outputs a row (classes, or one value)."""

    accepts: ClassVar[frozenset[InputKind]]
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression"})
    recipe: ClassVar[Recipe]
    exports: ClassVar[frozenset[ExportFormat]] = frozenset({"onnx", "pt2", "bundle"})
    """Formats a checkpoint can be exported in. A network that torch.export cannot follow has `bundle` alone."""

    any_length: ClassVar[bool] = False
    """Whether a row may have more words than the inputs it was built for."""

    @property
    def reach(self) -> int:
        """Tokens before a window that are shown with it, to a language model that looks back so far and no farther."""
        return 0

    @abstractmethod
    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        """A module from x_B… to y_BK, or to y_BTK where inputs.per_word. Raises Refusal.

        Its weights are drawn from torch's global generator.
        """

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


class Optimizer(Buildable, ABC):
    """A rule that turns gradients into steps."""

    lr: float = Field(gt=0, le=1000, description="learning rate at the top of the schedule")
    weight_decay: float = Field(0.0, ge=0, le=1000, description="pull of every weight towards 0")
    full_batch: ClassVar[bool] = False
    """Whether a step is made from the whole training part, whatever batch_size says."""

    @property
    def states(self) -> int:
        """Numbers kept per parameter, for the memory estimate."""
        return 2

    @abstractmethod
    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        """The torch optimizer over `parameters`, or over groups of them."""

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """The parameters of a network, for `build`: one group, where the rule treats all of them alike."""
        return [{"params": list(model.parameters())}]

    def over(self, model: nn.Module, *, decay_biases: bool = True) -> torch.optim.Optimizer:
        """The torch optimizer over what is trained. Biases and normalisation are what has at most one dimension."""
        groups = [group for group in map(_trained, self.groups(model)) if group["params"]]
        return self.build(groups if decay_biases else [half for group in groups for half in _halves(group)])

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        OPTIMIZERS.add(cls)


def _trained(group: dict[str, Any]) -> dict[str, Any]:
    """A group without its frozen parameters: they are neither decayed nor given a state."""
    return {**group, "params": [parameter for parameter in group["params"] if parameter.requires_grad]}


def _halves(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters of a group that weight decay pulls at, and those that it leaves alone."""
    pulled = [parameter for parameter in group["params"] if parameter.dim() > 1]
    left = [parameter for parameter in group["params"] if parameter.dim() <= 1]
    halves = [{**group, "params": pulled}, {**group, "params": left, "weight_decay": 0.0}]
    return [half for half in halves if half["params"]]


@dataclass(frozen=True)
class Standstill:
    """What happens to the rate when an evaluation does not improve by more than `threshold`."""

    factor: float
    patience: int
    threshold: float
    least: float


class Schedule(Buildable, ABC):
    """The learning rate over time, as a factor of the optimizer's: a function of the step, with no memory.

    What depends on how training goes is not in the function: a schedule says by `standstill` that it wants it, and the
    loop remembers.
    """

    warmup_steps: int = Field(0, ge=0, le=100_000_000, description="steps over which the rate rises from 0, linearly")

    @abstractmethod
    def shape(self, step: int, steps: int) -> float:
        """The factor at `step` of `steps`, both counted from the end of the warm-up."""

    def factor(self, step: int, steps: int) -> float:
        """The factor for the step numbered `step`, from 0, of `steps`."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.shape(step - self.warmup_steps, max(1, steps - self.warmup_steps))

    def standstill(self) -> Standstill | None:
        """How the rate falls where the evaluation stands still, if it does."""
        return None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        SCHEDULES.add(cls)


class Augmentation(Buildable, ABC):
    """A change of training examples, drawn anew in each epoch. Validation, test and prediction never see it."""

    accepts: ClassVar[frozenset[InputKind]]
    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "regression"})
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
AUGMENTATIONS: Shelf[Augmentation] = Shelf("augmentations")
DATASETS: Shelf[BuiltIn] = Shelf("datasets")
