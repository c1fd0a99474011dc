"""Targets: what is asked of a network, and how its outputs become answers.

A `Target` is the part: what a task is. A `FittedTarget` is what it learned from the rows of one column; it travels with
the checkpoint as JSON.

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

from athanor.contract import Column
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
    """How a text is read for its next token. Numbers 0 to 2 pad, are unknown, and end a document."""

    tokens: str
    """The tokenizer."""
    documents: Literal["stream", "lines"]
    context: int
    reach: int = 0
    """Tokens that are shown before each window."""

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
    """A target that was fitted to the rows of a job. Each kind names its task in a field that is always the same."""

    task: str

    if TYPE_CHECKING:

        @property
        def outputs(self) -> int:
            """K. A property or a field of each kind."""

    @property
    def part(self) -> "type[Target]":
        """What the task is."""
        return target_of(self.task)

    @property
    def column(self) -> str | None:
        """The column of the dataset that was learned. None where the input is its own target."""
        return None

    @property
    def meaning(self) -> Meaning:
        """What the numbers of outputs and targets stand for."""
        return Meaning()

    @abstractmethod
    def encode(self, table: Table, rows: Rows) -> torch.Tensor:
        """t_N… of these rows. Raises DataError."""

    @abstractmethod
    def decode(self, y_NK: torch.Tensor, words_N: Sequence[int]) -> list[dict[str, Any]]:
        """Outputs y_N… as one answer a row. `words_N` are the words of each row, where there is an answer for each."""

    @abstractmethod
    def baseline(self, train: Pairs, part: Pairs) -> dict[str, float]:
        """Metrics over `part` of the answers that counting `train` gives."""

    @abstractmethod
    def reuse(self, column: Column, words: str) -> Self | None:
        """The same for the target column of another job, whose input column is `words`; None where answers differ."""

    def criterion(self, loss: Criterion) -> Criterion:
        """The loss over rows, or over words and tokens alone where there is an answer for each."""
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
        """The metrics of a training step: those that take no longer than it does."""
        return self._measured(tuple(each for each in self.part.measures() if each.each_step), y, t)

    def count(self, y: torch.Tensor, t: torch.Tensor) -> list[float]:
        """Sums over a batch, to be added up over all: how many targets, and the statistics of every metric."""
        t = t[:, : y.shape[1]] if self.part.per_word() else t
        found = [float((t >= 0).sum()) if self.part.per_word() else float(len(t))]
        for each in self.part.measures():
            found += each.count(y, t, self.meaning)
        return found

    def conclude(self, sums: list[float]) -> dict[str, float]:
        """The metrics that follow from what `count` gave, added up."""
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
    """What a network is asked to predict: how it is encoded, learned, measured and decoded."""

    task: ClassVar[str]
    tasks: ClassVar[frozenset[str]]
    """The task alone: what the catalog says of it."""
    level: ClassVar[AnswerLevel] = "row"
    fitted: ClassVar[type[FittedTarget]]
    metrics: ClassVar[tuple[str, ...]]
    """Metrics that the task is evaluated by, before any others that name the task."""
    losses: ClassVar[tuple[str, ...]]
    """Losses that fit, the default first, beside any others that name the task."""
    series: ClassVar[str] = "val/loss"
    """What best means, where the spec does not say it."""
    baseline_kind: ClassVar[str]
    """What the answers are that take no learning."""
    outputs_are: ClassVar[str]
    """What the numbers of an output mean, in the words of the model card."""
    has_classes: ClassVar[bool] = False
    """Whether a target is the number of a class: losses may weigh classes by how many rows or words they have."""
    stratifies: ClassVar[bool] = False
    """Whether a split can keep the shares of its values equal in every part."""
    self_supervised: ClassVar[bool] = False
    """Whether the input is its own target: the network goes on with a text instead of answering rows."""
    options: ClassVar[tuple[str, ...]] = ()
    """Fields of the dataset choice that are for this task alone."""

    @classmethod
    def per_word(cls) -> bool:
        """Whether there is an answer for each word or token of a row."""
        return cls.level != "row"

    @classmethod
    def sums_up(cls) -> bool:
        """Whether outputs are too large to be held together, so that batches are evaluated one by one."""
        return cls.level == "token"

    @classmethod
    def measures(cls) -> tuple[Metric, ...]:
        """The metrics of the task."""
        return _measures(cls)

    @classmethod
    def directions(cls) -> dict[str, Direction]:
        """Which way each measure of an evaluation improves: the loss first."""
        return {"loss": LOSS, **{each.kind: each.direction for each in cls.measures()}}

    @classmethod
    def fitting_losses(cls) -> list[str]:
        """Kinds of the losses that fit, the default first where the others do not name the task."""
        others = [each.model_fields["kind"].default for each in LOSSES if cls.task in each.tasks]
        return list(dict.fromkeys((*(name for name in cls.losses if name not in others), *others)))

    @classmethod
    def recognize(cls, column: Column) -> float:
        """How clearly a column asks for this task, from 0 to 1; the clearest wins. At 0 the spec must name the task."""
        return 0.0

    @classmethod
    @abstractmethod
    def check(cls, column: Column) -> None:
        """Raises SpecError where the column cannot be this target."""

    @classmethod
    def check_inputs(cls, inputs: Sequence[Column]) -> None:
        """Raises SpecError where these inputs cannot answer it, whatever the network."""

    @classmethod
    @abstractmethod
    def outputs(cls, column: Column, language: Language | None) -> int:
        """K, as far as the schema tells."""

    @classmethod
    @abstractmethod
    def fit(cls, table: Table, column: Column, train: Rows, inputs: Inputs, words: str) -> FittedTarget:
        """Learn how to encode. Classes and tags are those of all rows, a scale is that of the training rows.

        `inputs` is what the network reads, and `words` the first column of it.
        """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.tasks = frozenset({cls.task})
        TARGETS.add(cls)


TARGETS: Registry[Target] = Registry("targets")


@cache
def target_of(task: str) -> type[Target]:
    """The target of a task. Raises KeyError for a task that no target has."""
    return {part.task: part for part in TARGETS}[task]


def chosen(task: str) -> type[Target]:
    """The same for a task that a spec names. Raises SpecError."""
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
    # What is evaluated batch by batch has the metrics that add up, and no others.
    return tuple(each for each in found if each.additive) if part.sums_up() else found


def fitted_union() -> Any:
    """The pydantic type of any fitted target, told apart by `task`."""
    return Annotated[Union[tuple(part.fitted for part in TARGETS)], Field(discriminator="task")]  # noqa: UP007


def wrong_column(column: Column) -> SpecError:
    """The refusal of a column that no task takes as its target."""
    return SpecError(
        "/dataset/target",
        f"'{column.name}' is a {column.kind} column; a target is a number or a category",
        code="wrong_column",
    )
