"""Features: how a column becomes numbers. NumPy and Arrow alone, so that reading an upload brings no torch.

A cell takes one road: `read` turns what an upload or a predict request holds into the column's own type, and `encode`
of what `fit` learned turns that into numbers.

Shape letters: N rows, F features, C channels, H height, W width, T words.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import JsonValue

from athanor.contract import Column
from models.data.table import Layout, Table
from models.parts.inputs import InputKind, Inputs
from models.parts.learned import Learned
from models.registry import Buildable, Registry

Rows = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Naming = Literal["classes", "whole numbers", "words"]


@dataclass(frozen=True)
class Observation:
    """What a first reading of all rows shows of a column."""

    type: pa.DataType
    """As the file has it."""
    layout: Layout | None = None
    """Of a fixed-size column."""
    numeric: bool = False
    """Every string is a numeral, and there is one at least."""
    distinct: int | None = None
    """Of strings; None where they are too many to count, or too long for the name of a class."""
    present: int = 0
    """Rows with a value."""
    words: int = 0
    """White-space separated words of all rows."""
    declared: bool = False
    """The file says that the column holds classes."""
    named: bool = False
    """The column is called like a target."""
    fitting: frozenset[str] = frozenset()
    """Kinds of features that every string of the column fits."""


class CellError(ValueError):
    """A JSON cell that the column cannot hold. `row` counts from 0; the message goes on after the column's name."""

    def __init__(self, row: int, message: str) -> None:
        super().__init__(message)
        self.row = row


class Encoder(Learned, ABC):
    """What a feature learned from the training rows of the column `name`."""

    kind: str
    name: str

    @abstractmethod
    def inputs(self) -> Inputs:
        """The tensor that `encode` makes."""

    @abstractmethod
    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_N… of the column, whose cells were read."""

    def for_column(self, column: Column) -> "Encoder | str":
        """The same for a column of another dataset; a sentence where that column is not what was learned from."""
        if column.kind != self.reads:
            return f"'{column.name}' is a {column.kind} column; the parent learned it as a {self.reads}"
        return self.model_copy(update={"name": column.name})

    @property
    def reads(self) -> str:
        """The kind of feature whose columns it encodes."""
        return self.kind

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        assert get_args(cls.model_fields["kind"].annotation), f"{cls.__name__}.kind is a Literal"
        ENCODERS[cls.model_fields["kind"].default] = cls


ENCODERS: dict[str, type[Encoder]] = {}
"""By kind; complete once FEATURES was looked at."""


class Feature(Buildable, ABC):
    """How a column is recognized, read, described and encoded."""

    precedence: ClassVar[int]
    """Which of the features that recognize a column takes it: the one with the lowest number."""
    side_by_side: ClassVar[bool] = False
    """Whether several columns of this kind are one vector. Otherwise a network reads a single one."""
    place: ClassVar[int] = 0
    """Among columns that are one vector, those with lower numbers come first."""
    is_target: ClassVar[bool] = False
    """Whether the intake may suggest such a column as the target."""
    repeats: ClassVar[bool] = False
    """Whether cells repeat so often that a file with a dictionary is smaller."""
    counts_values: ClassVar[bool] = True
    """Whether the description counts distinct values."""
    names: ClassVar[Naming | None] = None
    """What the description lists as classes, where they are few."""

    @classmethod
    def fits(cls, values: pa.Array) -> bool:
        """Whether each of these strings, of which none is null, may be of this kind.

        Asked of every batch of a column until the answer is no; `Observation.fitting` says what came of it.
        """
        return False

    @classmethod
    @abstractmethod
    def recognizes(cls, seen: Observation) -> bool:
        """Whether a column that looks so is one of this kind."""

    @abstractmethod
    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """Cells as they were written, in the type that the column has; what is missing is null.

        Raises ArrowInvalid for a cell that is none of this kind.
        """

    @abstractmethod
    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        """JSON values of a predict request as a file would hold them, for `read`. Raises CellError."""

    def show(self, value: Any, column: Column) -> JsonValue:
        """A cell of the file as somebody would send it in JSON."""
        shown: JsonValue = value
        return shown

    def preview(self, value: Any, column: Column) -> JsonValue:
        """A cell as a preview shows it."""
        return self.show(value, column)

    def numbers(self, values: pa.Array, column: Column) -> Reals | None:
        """All numbers of cells that were read and are not null, for range and spread; None where there are none."""
        return None

    def words(self, values: pa.Array) -> list[list[str]] | None:
        """The words of cells that were read and are not null; None where there are none."""
        return None

    def characters(self, values: pa.Array) -> list[str] | None:
        """The texts of cells that were read and are not null, where their characters count."""
        return None

    @abstractmethod
    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        """The kind of tensor that the column becomes for a network that accepts these."""

    @abstractmethod
    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        """The tensor as the column's description lets us expect it; a vocabulary is at most that of all rows."""

    @abstractmethod
    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> Encoder:
        """Learn from the training rows. `table` holds cells that were read."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        FEATURES.add(cls)


FEATURES: Registry[Feature] = Registry("features")


def of(column: Column) -> Feature:
    """The feature that reads a column."""
    return FEATURES[column.kind].model_validate({})


def recognize(seen: Observation) -> type[Feature]:
    """The feature of a column that looks so. Text takes every string, so there is always one."""
    return next(each for each in sorted(FEATURES, key=lambda each: each.precedence) if each.recognizes(seen))


def read(table: Table, columns: Sequence[Column]) -> Table:
    """The same table with the cells of these columns read by their features; others are left out."""
    cells = {column.name: of(column).read(table.data[column.name].combine_chunks(), column) for column in columns}
    return Table(table.schema, pa.table(cells))


def json_kind(value: Any) -> str:
    """What kind of JSON a value is, in words."""
    if isinstance(value, list):
        odd = [each for each in value if not is_text(each)]
        return f"a list with {json_kind(odd[0]) if not isinstance(odd[0], list) else 'a list'}" if odd else "a list"
    names = {bool: "true or false", int: "a number", float: "a number", dict: "an object", type(None): "null"}
    return names.get(type(value), "a string" if is_text(value) else "no Unicode text")


def is_text(value: Any) -> bool:
    """Whether UTF-8 can hold a string: JSON can also write half of a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
