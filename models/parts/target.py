"""Targets: what a network predicts, and how its outputs become answers.

A `Target` is the part, which defines a task. A `FittedTarget` is what it learned from the rows of one column; the
checkpoint stores it as JSON.

Shape letters: N rows, B rows of a batch, T words or tokens, K outputs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, Self, Union

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from athanor.contract import Column, Interval
from models.data.table import Table
from models.errors import SpecError
from models.nn.named_tensors import NetworkInput
from models.parts.architecture import AnswerLevel, Inputs
from models.parts.learned import Learned
from models.parts.loss import LOSSES, Criterion
from models.parts.metric import LOSS, METRICS, Direction, Meaning, Metric
from models.parts.tokenizer import TOKENIZERS, Tokenizer
from models.registry import Buildable, Registry

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Language:
    """How language modeling reads a text. Token 0 is padding, 1 is the unknown token, 2 ends a document."""

    tokens: str
    """The tokenizer."""
    documents: Literal["stream", "lines"]
    context: int
    reach: int = 0
    """Tokens before each window that the network also reads."""

    @property
    def tokenizer(self) -> Tokenizer:
        return TOKENIZERS[self.tokens].model_validate({})


class Pairs(Protocol):
    """Encoded inputs x_N… and targets t_N… of the rows of one part."""

    @property
    def x(self) -> NetworkInput: ...

    @property
    def t(self) -> torch.Tensor: ...

    def __len__(self) -> int: ...


class FittedTarget(Learned, ABC):
    """A target that was fitted to the rows of a job. The field `task` is a constant of each class."""

    task: str

    if TYPE_CHECKING:

        @property
        def outputs(self) -> int:
            """K. Each subclass defines it as a property or as a field."""

    @property
    def part(self) -> "type[Target]":
        """The target of the task."""
        return target_of(self.task)

    @property
    def column(self) -> str | None:
        """The target column. None if the input is its own target."""
        return None

    @property
    def meaning(self) -> Meaning:
        """The meaning of the numbers in outputs and targets."""
        return Meaning()

    def known(self, table: Table) -> Rows:
        """The rows whose target `encode` can encode: it is there, and was learned."""
        cells = [] if self.column is None else table.data[self.column].to_pylist()
        return np.flatnonzero([cell is not None for cell in cells])

    @abstractmethod
    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        """t_N… of these rows. Raises DataError."""

    @abstractmethod
    def decode(self, y_NK: torch.Tensor, words_N: Sequence[int]) -> list[dict[str, Any]]:
        """One answer per row from outputs y_N…. `words_N` is the number of words of each row, for answers per word."""

    @abstractmethod
    def baseline(self, train: Pairs, part: Pairs) -> dict[str, float]:
        """Metrics over `part` of a constant answer taken from `train`, without a network."""

    @abstractmethod
    def reuse(self, column: Column, words: str) -> Self | None:
        """This target for another job with the target `column` and the input `words`. None if the answers differ."""

    def criterion(self, loss: Criterion) -> Criterion:
        """The loss over rows; for answers per word or token, over all words or tokens except padding."""
        if not self.part.per_word():
            return loss

        def over_words(y_BTK: torch.Tensor, t_BT: torch.Tensor) -> torch.Tensor:
            t_BT = t_BT[:, : y_BTK.shape[1]]
            return loss(y_BTK[t_BT >= 0], t_BT[t_BT >= 0])

        return over_words

    def measure(self, y: torch.Tensor, t: torch.Tensor) -> dict[str, float]:
        """Every metric of the task that is defined for these outputs y_BK or y_BTK and targets t_B or t_BT."""
        return self._measured(self.part.measures(), y, t)

    def measure_step(self, y: torch.Tensor, t: torch.Tensor) -> dict[str, float]:
        """The metrics of a training step: only those that are fast to compute."""
        return self._measured(tuple(each for each in self.part.measures() if each.each_step), y, t)

    def count(self, y: torch.Tensor, t: torch.Tensor) -> list[float]:
        """The number of targets in a batch and the statistics of every metric. Add them up over all batches."""
        t = t[:, : y.shape[1]] if self.part.per_word() else t
        found = [float((t >= 0).sum()) if self.part.per_word() else float(len(t))]
        for each in self.part.measures():
            found += each.count(y, t, self.meaning)
        return found

    def conclude(self, sums: list[float]) -> dict[str, float]:
        """The metrics from the sums of `count` over all batches."""
        found, start = {}, 1
        for each in self.part.measures():
            stop = start + len(each.statistics)
            found[each.kind] = each.conclude(sums[start:stop], self.meaning)
            start = stop
        return {name: value for name, value in found.items() if value is not None}

    def _measured(self, metrics: Sequence[Metric], y: torch.Tensor, t: torch.Tensor) -> dict[str, float]:
        t = t[:, : y.shape[1]] if self.part.per_word() else t
        found = {each.kind: each.measure(y, t, self.meaning) for each in metrics}
        return {name: value for name, value in found.items() if value is not None}


class Target(Buildable, ABC):
    """What a network predicts, and how it is encoded, learned, measured and decoded."""

    task: ClassVar[str]
    tasks: ClassVar[frozenset[str]]
    """The task, as a set, for the catalog."""
    level: ClassVar[AnswerLevel] = "row"
    fitted: ClassVar[type[FittedTarget]]
    metrics: ClassVar[tuple[str, ...]]
    """Metrics of the task. Metrics that name the task themselves follow."""
    losses: ClassVar[tuple[str, ...]]
    """Losses that fit, the default first. Losses that name the task themselves follow."""
    series: ClassVar[str] = "val/loss"
    """The default series that decides which checkpoint is the best."""
    baseline_kind: ClassVar[str]
    """The name of the baseline, for example the majority class."""
    outputs_are: ClassVar[str]
    """The meaning of the outputs, for the model card."""
    has_classes: ClassVar[bool] = False
    """Whether a target is the number of a class. Losses can then weight classes by their frequency."""
    stratifies: ClassVar[bool] = False
    """Whether a split can stratify by its values."""
    self_supervised: ClassVar[bool] = False
    """Whether the input is its own target: the network continues a text."""
    options: ClassVar[tuple[str, ...]] = ()
    """Fields of the spec's `dataset` that only this task uses."""

    @classmethod
    def per_word(cls) -> bool:
        """Whether there is an answer for each word or token of a row."""
        return cls.level != "row"

    @classmethod
    def sums_up(cls) -> bool:
        """Whether the outputs of a part are too large for memory, so that each batch is measured separately."""
        return cls.level == "token"

    @classmethod
    def measures(cls) -> tuple[Metric, ...]:
        """The metrics of the task."""
        return _measures(cls)

    @classmethod
    def directions(cls) -> dict[str, Direction]:
        """For the loss and each metric of an evaluation, whether lower or higher is better. The loss is first."""
        return {"loss": LOSS, **{each.kind: each.direction for each in cls.measures()}}

    @classmethod
    def intervals(cls) -> dict[str, Interval]:
        """Metrics whose uncertainty follows from the number of rows. Answers of one row depend on each other."""
        return {} if cls.per_word() else {each.kind: each.interval for each in cls.measures() if each.interval}

    @classmethod
    def fitting_losses(cls) -> list[str]:
        """Kinds of the losses that fit. The target's own come first, except those that name the task themselves."""
        others = [each.model_fields["kind"].default for each in LOSSES if cls.task in each.tasks]
        return list(dict.fromkeys((*(name for name in cls.losses if name not in others), *others)))

    @classmethod
    def recognize(cls, column: Column) -> float:
        """How well a column suits this task, from 0 to 1. The highest wins; at 0 the spec must name the task."""
        return 0.0

    @classmethod
    @abstractmethod
    def check(cls, column: Column) -> None:
        """Raises SpecError if the column cannot be this target."""

    @classmethod
    def can_be(cls, column: Column) -> bool:
        """Whether `check` accepts a column."""
        try:
            cls.check(column)
        except SpecError:
            return False
        return True

    @classmethod
    def check_inputs(cls, inputs: Sequence[Column]) -> None:
        """Raises SpecError if no network can predict the target from these inputs."""

    @classmethod
    @abstractmethod
    def outputs(cls, column: Column, language: Language | None) -> int:
        """K, or an upper bound of it, from the schema."""

    @classmethod
    @abstractmethod
    def fit(cls, table: Table, column: Column, train: Rows, inputs: Inputs, words: str) -> FittedTarget:
        """Learn how to encode the column. Classes and tags are from all rows, a scale is from the training rows.

        `inputs` describes the network's input, and `words` is its first column.
        """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.tasks = frozenset({cls.task})
        TARGETS.add(cls)


TARGETS: Registry[Target] = Registry("targets")


@cache
def target_of(task: str) -> type[Target]:
    """The target of a task. Raises KeyError for an unknown task."""
    return {part.task: part for part in TARGETS}[task]


def chosen(task: str) -> type[Target]:
    """The target of a task that a spec names. Raises SpecError for an unknown task."""
    try:
        return target_of(task)
    except KeyError:
        raise SpecError(
            "/dataset/task",
            f"there is no task '{task}'",
            code="unknown_task",
            suggestion="one of " + ", ".join(sorted(part.task for part in TARGETS)),
        ) from None


@cache
def _measures(part: type[Target]) -> tuple[Metric, ...]:
    others = [each.model_fields["kind"].default for each in METRICS if part.task in each.tasks]
    named = dict.fromkeys((*part.metrics, *others))
    found = tuple(METRICS[name].model_validate({}) for name in named)
    # A part that is evaluated batch by batch can only have metrics whose statistics add up.
    return tuple(each for each in found if each.additive) if part.sums_up() else found


def fitted_union() -> Any:
    """The pydantic union of all fitted targets, with `task` as the discriminator."""
    return Annotated[Union[tuple(part.fitted for part in TARGETS)], Field(discriminator="task")]  # noqa: UP007


def wrong_column(column: Column) -> SpecError:
    """The error for a column that cannot be the target of any task."""
    return SpecError(
        "/dataset/target",
        f"'{column.name}' is a {column.kind} column; a target is a number or a category",
        code="wrong_column",
    )
