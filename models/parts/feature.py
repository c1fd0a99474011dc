"""Features: how a column becomes numbers. Uses NumPy and Arrow only, so that reading an upload imports no torch.

Cells of uploads and of predict requests take the same path: `read` converts them to the type of the column, and the
encoder from `fit` converts the result to numbers.

Shape letters: N rows, F features, C channels, H height, W width, T words.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isabstract
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BeforeValidator, Field, JsonValue

from athanor.contract import Column
from models.data.table import Layout, Table
from models.parts.inputs import InputKind, Inputs
from models.parts.learned import Learned
from models.parts.oddity import LONGEST, MISSING, Oddity
from models.registry import Buildable, Registry

Rows = npt.NDArray[np.int64]
Reals = npt.NDArray[Any]
Naming = Literal["classes", "whole numbers", "words"]


def _word(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


MissingWord = Annotated[str, Field(max_length=200), BeforeValidator(_word)]
"""A word that means a missing value. A number is the word that JSON writes for it."""


@dataclass(frozen=True)
class Observation:
    """Facts about a column, collected in a first pass over all rows."""

    type: pa.DataType
    """The type in the file."""
    layout: Layout | None = None
    """The layout of a fixed-size column."""
    numeric: bool = False
    """Every string is a numeral, and there is at least one."""
    distinct: int | None = None
    """The number of distinct strings. None if there are too many, or if one is too long for the name of a class."""
    present: int = 0
    """Rows with a value."""
    words: int = 0
    """The number of words of all rows, separated by white space."""
    declared: bool = False
    """The file says that the column holds classes."""
    named: bool = False
    """The name of the column is typical for a target."""
    fitting: tuple["Feature", ...] = ()
    """What `Feature.narrowed` left of the features that can read every string of the column."""
    whole: bool = False
    """Every number is whole and a float64 holds it exactly. Only numbers that are typed or plain numerals count."""
    name: str = ""
    """The name of the column."""
    decimal: Literal[".", ","] | None = None
    """The decimal mark of the file's numbers, where the sender named it."""
    letters: Mapping[str, int] = field(default_factory=dict)
    """Letters of each script in a sample of the strings, the most frequent script first."""
    versions: tuple[str, str] | None = None
    """Two numerals such as 1.1 and 1.10, if the column may hold versions."""
    html: float = 0.0
    """The share of strings with an HTML tag in this sample."""


class CellError(ValueError):
    """A JSON cell that the column cannot read. `row` counts from 0; the message continues after the column's name."""

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
        """x_N… of the column. Its cells must have been read."""

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """What is unusual in cells that `encode` can encode. Also says of how many cells, where nothing is."""
        cells = table.data[self.name].combine_chunks()
        missing = np.flatnonzero(cells.is_null().to_numpy(zero_copy_only=False)).tolist()
        what = f"have no value; each counts as {self.stands_in()}"
        return [Oddity.of_rows(MISSING, what, "give the values that are known", missing, len(cells))]

    def stands_in(self) -> str:
        """What a missing value counts as, in words."""
        return "no value"

    def for_column(self, column: Column) -> "Encoder | str":
        """This encoder for a column of another dataset, or an error message if that column is of another type."""
        if column.kind != self.reads:
            return f"'{column.name}' is a {column.kind} column; the parent learned from a {self.reads} column"
        return self.model_copy(update={"name": column.name})

    def after(self, table: Table, train: Rows) -> "Encoder":
        """This encoder after a further training on these rows. It encodes as before, and knows what it has seen."""
        return self

    @property
    def reads(self) -> str:
        """The kind of the columns that it encodes."""
        return self.kind

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if isabstract(cls):
            return
        assert get_args(cls.model_fields["kind"].annotation), f"{cls.__name__}.kind is a Literal"
        ENCODERS[cls.model_fields["kind"].default] = cls


class SequenceEncoder(Encoder, ABC):
    """An encoder of rows of words, x_NT. A target with an answer for each word needs one."""

    max_length: int
    """The largest number of words of a row that can be encoded."""

    @abstractmethod
    def lengths(self, table: Table) -> list[int]:
        """The number of words of each row, before rows are cut."""

    @abstractmethod
    def encode(self, table: Table, length: int | None = None) -> npt.NDArray[np.generic]:
        """x_NT, T = `length`; by default T is that of `inputs`. Longer rows are cut, and shorter ones padded with 0."""


ENCODERS: dict[str, type[Encoder]] = {}
"""Encoder classes by kind. The table is complete after the first use of FEATURES."""


class Feature(Buildable, ABC):
    """How a column is recognized, read, described and encoded."""

    precedence: ClassVar[int]
    """If several features recognize a column, the one with the lowest number is used."""
    side_by_side: ClassVar[bool] = False
    """Whether several columns of this kind are joined into one vector. `joined` asks it of all columns of an input."""
    place: ClassVar[int] = 0
    """The order of columns within a vector: lower numbers come first."""
    is_target: ClassVar[bool] = False
    """Whether the intake may suggest such a column as the target."""
    reads_numerals: ClassVar[bool] = False
    """Whether it reads plain numerals, see `models.parts.plain_numerals`, as the numbers that they are."""
    counts_values: ClassVar[bool] = True
    """Whether the description counts distinct values."""
    can_be_missing: ClassVar[bool] = True
    """Whether rows to predict may all lack the column. Otherwise one of them has to have it."""
    names: ClassVar[Naming | None] = None
    """What the description lists as classes, if there are few."""

    def narrowed(self, values: pa.Array) -> "Feature | None":
        """This feature, narrowed to the ways in which these strings may be written. None if it cannot read them.

        Called for every batch of a column of strings, none of which is null, until it returns None. What is left stands
        in `Observation.fitting`.
        """
        return None

    @property
    def decimal_marks(self) -> frozenset[Literal[".", ","]]:
        """The decimal marks with which the strings of the column are numbers, as far as `narrowed` has seen them."""
        return frozenset()

    def settled(self, seen: Observation) -> "Feature":
        """This feature, which a user chose, with what it leaves open settled by the facts."""
        return self

    def whole(self, seen: Observation) -> bool:
        """Whether every cell is a whole number that a float64 holds exactly."""
        return False

    @classmethod
    @abstractmethod
    def recognize(cls, seen: Observation) -> "Feature | None":
        """The feature with the settings for a column with these facts. None if the column is of another kind."""

    def guess(self, seen: Observation) -> str | None:
        """Why the column may have to be read in another way, and what would settle it. None if it is certain."""
        return None

    def settings(self) -> dict[str, JsonValue]:
        """The fields that differ from their defaults."""
        return self.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)

    def can_read(self, kind: pa.DataType, layout: Layout | None) -> bool:
        """Whether cells of this Arrow type, with this layout if their size is fixed, may be read as this feature."""
        return layout is None and not pa.types.is_list(kind)

    @abstractmethod
    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """Convert cells from the file to the type of the column. Missing values are null.

        Raises ArrowInvalid for a cell of another kind.
        """

    @abstractmethod
    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        """Convert JSON values of a predict request to the form in a file, for `read`. Raises CellError."""

    def show(self, value: Any, column: Column) -> JsonValue:
        """A cell of the file as a JSON value for a predict request."""
        shown: JsonValue = value
        return shown

    def preview(self, value: Any, column: Column) -> JsonValue:
        """A cell as a preview shows it."""
        return self.show(value, column)

    def numbers(self, values: pa.Array, column: Column) -> Reals | None:
        """All numbers [N] in cells that were read and are not null, for range and std; None if the kind has none."""
        return None

    def words(self, values: pa.Array) -> list[list[str]] | None:
        """The words in cells that were read and are not null; None if the kind has no words."""
        return None

    def is_extra(self, word: str) -> bool:
        """Whether a word says again what those beside it say. A rare one is left out, not counted as unknown."""
        return False

    def characters(self, values: pa.Array) -> list[str] | None:
        """The texts in cells that were read and are not null; None if the kind counts no characters."""
        return None

    def shape(self, stored: Layout) -> tuple[int, ...]:
        """The shape of a cell as the feature reads it, from the layout of the cells in the file."""
        return stored.shape

    def layout(self, column: Column) -> Layout:
        """The layout of a cell. Only features whose cells have a fixed size have one."""
        raise AssertionError(f"a cell of a {self.kind} column has no fixed size")

    def stored(self, column: Column) -> Layout:
        """The layout of the cells in the file, before `read`. A predict request sends such cells."""
        stored = column.stored
        return self.layout(column) if stored is None else Layout(stored.kind, tuple(stored.shape), stored.pixels)

    def is_index(self, column: Column) -> bool:
        """Whether the column numbers the rows. Such a column is an input only if the spec names it.

        In sorted rows, the number of a row gives the target away.
        """
        return False

    @abstractmethod
    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        """The kind of tensor that the column becomes for a network that accepts `accepts`."""

    @abstractmethod
    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        """The tensor to expect from the column's description. The vocabulary is an upper bound: that of all rows."""

    @abstractmethod
    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> Encoder:
        """Learn from the training rows. The cells in `table` must have been read."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        FEATURES.add(cls)


FEATURES: Registry[Feature] = Registry("features")


def of(column: Column) -> Feature:
    """The feature that reads a column."""
    return FEATURES[column.kind].model_validate(column.settings)


def arrays(table: Table, name: str) -> npt.NDArray[np.generic]:
    """A column whose cells have a fixed size as [rows, *shape]: uint8 for images, float32 for arrays."""
    column = table.column(name)
    return table.arrays(name, of(column).layout(column))


def joined(kinds: Iterable[str]) -> bool:
    """Whether columns of these kinds are joined into one vector. Then each column is identified by its name.

    Otherwise an input reads a single column, which may have another name in another dataset.
    """
    return all(FEATURES[kind].side_by_side for kind in kinds)


def recognize(seen: Observation) -> Feature:
    """The feature for a column with these facts. There is always one, because text accepts every string."""
    found = (each.recognize(seen) for each in sorted(FEATURES, key=lambda each: each.precedence))
    return next(each for each in found if each is not None)


def read(table: Table, columns: Sequence[Column]) -> Table:
    """A table of these columns only, with their cells read by their features."""
    cells = {column.name: of(column).read(table.data[column.name].combine_chunks(), column) for column in columns}
    return Table(table.schema, pa.table(cells))


UNREADABLE = (pa.ArrowInvalid, pa.ArrowNotImplementedError)
"""What `Feature.read` raises for a cell that it cannot read."""


def first_unreadable(feature: Feature, values: pa.Array, column: Column) -> int:
    """The place of the first cell that the feature cannot read, by bisection. There must be one."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            feature.read(values.slice(low, middle - low), column)
            low = middle
        except UNREADABLE:
            high = middle
    return low


def json_kind(value: Any) -> str:
    """The JSON type of a value, in words for an error message."""
    if isinstance(value, list):
        odd = [each for each in value if not is_text(each)]
        return f"a list with {json_kind(odd[0]) if not isinstance(odd[0], list) else 'a list'}" if odd else "a list"
    names = {bool: "true or false", int: "a number", float: "a number", dict: "an object", type(None): "null"}
    return names.get(type(value), "a string" if is_text(value) else "no Unicode text")


def shown(word: str) -> str:
    """A string of a request, in an error message."""
    return repr(word if len(word) <= LONGEST else word[: LONGEST - 1] + "…")


def is_text(value: Any) -> bool:
    """Whether a value is a string that UTF-8 can encode. JSON strings can contain a single surrogate, UTF-8 cannot."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
