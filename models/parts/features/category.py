"""Categories, one-hot."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from athanor.contract import Column
from models.data.formats.limits import Limits
from models.data.table import Table
from models.errors import SpecError
from models.parts.feature import CellError, Encoder, Feature, MissingWord, Naming, Observation, Rows, is_text, json_kind
from models.parts.features.boolean import third_answers
from models.parts.inputs import InputKind, Inputs
from models.parts.oddity import LONGEST, SHOWN, Oddity

FEW = 20
MOST = Limits.max_classes
"""The largest number of values of a category; fewer if the table has many columns."""


class CategoryEncoder(Encoder):
    """One number for each value in the training rows, and one for missing values if they have some.

    A value that is not among them is all zeros.
    """

    kind: Literal["category"] = "category"
    values: list[str]
    missing: bool = Field(False, description="whether the last number is 1 where a value is missing")

    def inputs(self) -> Inputs:
        return Inputs("vector", (len(self.values) + self.missing,))

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NF, float64, one-hot."""
        cells = table.data[self.name].combine_chunks().cast(pa.string())
        places = pc.index_in(cells, value_set=pa.array(self.values, pa.string()), skip_nulls=True)
        if self.missing:
            places = pc.if_else(pc.is_null(cells), len(self.values), places)
        at_N = pc.fill_null(places, -1).to_numpy(zero_copy_only=False)
        hot_NF = np.zeros((table.rows, len(self.values) + self.missing))
        rows = np.flatnonzero(at_N >= 0)
        hot_NF[rows, at_N[rows]] = 1.0
        return hot_NF

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """Missing values, and values that no training row has."""
        known, seen = set(self.values), table.strings(self.name)
        new = [row for row, value in enumerate(seen) if value is not None and value not in known]
        what = "have a value that no training row has; it counts as none of the known values"
        suggestion = "check the spelling; the training rows have " + ", ".join(
            value[:LONGEST] for value in self.values[:SHOWN]
        )
        values = [seen[row] or "" for row in new]
        return [
            *super().odd(table, column),
            Oddity.of_rows("unseen_category", what, suggestion, new, len(seen), values),
        ]

    def stands_in(self) -> str:
        return "none of the known values"


class Category(Feature):
    """One of a few values, one-hot; a value that the training rows do not have is all zeros.

    White space around a value does not count. If training rows have no value, this is a value of its own.
    """

    kind: Literal["category"] = "category"
    missing: tuple[MissingWord, ...] = Field(
        (), max_length=20, description="words, or numbers such as -9, that mean a missing value"
    )

    precedence: ClassVar[int] = 40
    side_by_side: ClassVar[bool] = True
    place: ClassVar[int] = 1
    is_target: ClassVar[bool] = True
    names: ClassVar[Naming | None] = "classes"

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        """Few distinct short strings: at most 20, or a tenth of the rows; half of them if named like a target."""
        if pa.types.is_boolean(seen.type):
            return cls()
        if not pa.types.is_string(seen.type) or seen.distinct is None:
            return None
        if seen.declared or not seen.present:
            return cls()
        if seen.named:
            return cls() if seen.distinct <= max(FEW, seen.present // 2) else None
        is_short = seen.words <= 3 * seen.present
        few = seen.distinct < seen.present and seen.distinct <= max(FEW, seen.present // 10)
        return cls() if few and is_short else None

    def guess(self, seen: Observation) -> str | None:
        if not (third := third_answers(seen)) or seen.declared:
            return None
        told = " and ".join(map(repr, third[:3]))
        return (
            f'{told} count as answers beside true and false; features with {{"kind": "boolean"}} reads them as missing'
        )

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """Strings without white space around them, in the composed form of Unicode; true and false are words."""
        values = cleaned(values if pa.types.is_string(values.type) else values.cast(pa.string()))
        if not self.missing:
            return values
        told = pc.is_in(values, value_set=cleaned(pa.array(self.missing, pa.string())), skip_nulls=True)
        return pc.if_else(told, pa.scalar(None, pa.string()), values)

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            if not (value is None or is_text(value) or isinstance(value, int | float | bool)):
                raise CellError(row, f"must be a string; this is {json_kind(value)}")
        known = frozenset([*(column.classes or []), *self.missing])
        return pa.array([None if value is None else _as_written(value, known) for value in values], pa.string())

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "vector"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        """Raises SpecError for too many values."""
        if column.classes is None:
            raise SpecError(
                "/dataset/features/" + column.name.replace("~", "~0").replace("/", "~1"),
                f"'{column.name}' has too many values, or too long ones, for a category; at most {MOST:,} are read",
                code="over_limit",
                suggestion="read it as text or as a number, or leave it out of dataset.inputs",
            )
        return Inputs("vector", (len(column.classes) + (column.missing > 0),))

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> CategoryEncoder:
        seen = table.data[column.name].combine_chunks().cast(pa.string()).take(pa.array(train))
        values = sorted(value for value in seen.unique().to_pylist() if value is not None)
        return CategoryEncoder(name=column.name, values=values, missing=seen.null_count > 0)


def cleaned(values: pa.Array) -> pa.Array:
    """Names without white space around them, in the composed form of Unicode; a blank is a missing value."""
    values = pc.utf8_trim_whitespace(values)
    if pc.all(pc.string_is_ascii(values)).as_py() is False:
        values = pc.utf8_trim_whitespace(pc.utf8_trim(pc.utf8_normalize(values, "NFC"), "\u200b\ufeff"))
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def near_equal(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ only in case, white space or the form of their letters, such as `Yes` and `yes`."""
    alike: dict[str, list[str]] = {}
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        alike.setdefault(" ".join(folded.split()), []).append(name)
    return [group for group in alike.values() if len(group) > 1]


def _as_written(value: str | float | bool, known: frozenset[str]) -> str:
    """A JSON value as the file has it: true may be `True` there, and 1 may be `1.0`."""
    if isinstance(value, str):
        return value
    plain = str(value).lower() if isinstance(value, bool | int) else str(pa.scalar(value).cast(pa.string()).as_py())
    others = [str(value), str(value).upper()] if isinstance(value, bool) else [str(value)]
    if not isinstance(value, bool) and abs(value) < 2**53 and value == int(value):
        others += [str(int(value)), f"{int(value)}.0"]
    return next((each for each in (plain, *others) if each in known), plain)
