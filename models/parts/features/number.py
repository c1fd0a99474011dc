"""Numbers, scaled to zero mean and unit variance."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, JsonValue, PrivateAttr

from athanor.contract import Column
from models.data.table import Table
from models.parts.feature import (
    CellError,
    Encoder,
    Feature,
    MissingWord,
    Naming,
    Observation,
    Reals,
    Rows,
    is_text,
    json_kind,
    shown,
)
from models.parts.inputs import InputKind, Inputs
from models.parts.numerals import Writing, plain
from models.parts.oddity import EXAMPLES, Oddity
from models.parts.plain_numerals import parse
from models.parts.reach import Reach, beyond, reach_of
from models.parts.scaling import divisor
from models.parts.units import is_known, multiplies
from models.parts.versions import is_named_so

INDEX = {"id", "index", "idx", "row", "unnamed: 0"}
"""Names of columns that number the rows, in lower case."""
CODES = re.compile(
    r"(^|[ _.-])(zip|zipcode|plz|post(al)?[ _-]?code|code|class|label|group|cluster|category|type|kind|level|grade)$"
    r"|[a-z](Code|Class|Type)$|(编码|代码|邮编|类别|类型|等级)$"
)
"""Names of columns whose whole numbers may be codes or classes."""
FEW = 20
LARGEST = float(np.finfo(np.float64).max)


class NumberEncoder(Encoder):
    """(value − mean) / std; a missing value is the mean."""

    kind: Literal["number"] = "number"
    mean: float
    std: float
    reach: Reach | None = Field(None, description="the smallest and the largest number of the training rows")

    def inputs(self) -> Inputs:
        return Inputs("vector", (1,))

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NF, float64, F = 1."""
        return np.nan_to_num((table.numbers(self.name) - self.mean) / self.std, nan=0.0)[:, None]

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """Missing values, and numbers further from the numbers of the training rows than these are from each other."""
        found = super().odd(table, column)
        if self.reach is None:
            return found
        values = table.numbers(self.name)
        far = np.flatnonzero(beyond(values, *self.reach)).tolist()
        what = (
            f"are far from the numbers of the training rows, which go from {self.reach[0]:.6g} to {self.reach[1]:.6g}"
        )
        suggestion = "check the unit and the decimal mark of these numbers"
        examples = [f"{value:.6g}" for value in values[far[:EXAMPLES]]]
        return [*found, Oddity.of_rows("far_from_training", what, suggestion, far, len(values), examples)]

    def after(self, table: Table, train: Rows) -> "NumberEncoder":
        return self.model_copy(update={"reach": reach_of(table.numbers(self.name)[train], self.reach)})

    def stands_in(self) -> str:
        return f"{self.mean:.6g}, the mean of the training rows"


class Number(Feature):
    """A number, to zero mean and unit variance over the training rows. A missing value is the mean.

    Digits may be grouped (`1,234.5`, `1 234`, `1'234`), in any script, and have a sign or be in parentheses, which make
    them negative. A unit may stand before or after them, also a currency or `%`, and is left out: 45% is 45.
    """

    kind: Literal["number"] = "number"
    decimal: Literal[".", ","] | None = Field(
        None, description="the decimal mark; the other one groups digits. null: as the column shows it, else a point"
    )
    unit: str = Field("", max_length=20, description="what stands before or after numbers, such as `kg`, `€` or `%`")
    missing: tuple[MissingWord, ...] = Field(
        (), max_length=20, description="more words, or numbers such as -999, that mean a missing value"
    )
    _writing: Writing = PrivateAttr(default_factory=Writing)

    precedence: ClassVar[int] = 30
    side_by_side: ClassVar[bool] = True
    is_target: ClassVar[bool] = True
    names: ClassVar[Naming | None] = "whole numbers"
    reads_numerals: ClassVar[bool] = True

    def narrowed(self, values: pa.Array) -> "Number | None":
        writing = self._writing.seen(values)
        return None if writing is None else self._written(writing)

    @property
    def decimal_marks(self) -> frozenset[Literal[".", ","]]:
        return self._writing.marks if self._writing.has_numbers else frozenset()

    def _written(self, writing: Writing) -> "Number":
        feature = self.model_copy()
        feature._writing = writing
        return feature

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        if pa.types.is_integer(seen.type) or pa.types.is_floating(seen.type):
            return cls()
        if seen.versions and is_named_so(seen.name) and (seen.distinct or FEW) <= max(FEW, seen.present // 10):
            return None
        written = _writing(seen)
        if seen.numeric and (seen.decimal != "," or written is None or "," not in written.marks):
            return cls()
        if written is None or seen.declared or (written.has_bare and multiplies(written.unit)):
            return None
        # Strings of a typed file such as "10", and words such as '3 doors': they are names if they are few.
        are_names = "." not in written.fractions if written.is_plain else written.unit and not is_known(written.unit)
        if are_names and seen.distinct is not None and seen.distinct <= FEW:
            return None
        return cls().settled(seen)

    def settled(self, seen: Observation) -> Feature:
        """With the decimal mark and the unit of the column, where they are left open."""
        writing = _writing(seen)
        if writing is None:
            return self
        decimal = self.decimal or _decimal(writing, seen)
        update = {"decimal": None if decimal == "." else decimal, "unit": self.unit or writing.unit}
        return self.model_copy(update=update)._written(writing)

    def guess(self, seen: Observation) -> str | None:
        if not pa.types.is_string(seen.type):
            return self._codes(seen)
        writing = _writing(seen)
        if writing is None:
            return self._codes(seen)
        mark = next(iter(writing.fractions)) if len(writing.fractions) == 1 else ""
        # A point between groups of digits is said, even where other columns show decimal commas.
        is_open = (not writing.is_plain and seen.decimal is None) or (mark == "." and self.decimal == ",")
        if len(writing.marks) > 1 and mark and is_open:
            roles = "the decimal mark", "a mark between groups of digits"
            now, other = roles if mark == (self.decimal or ".") else roles[::-1]
            return f"each '{mark}' is read as {now} and may be {other}; decimal = '.' or ',' of the feature settles it"
        if writing.unit and not is_known(writing.unit):
            return f"'{writing.unit}' is read as a unit and left out; the kind of the feature settles it"
        if writing.unit and writing.has_bare:
            return f"some numbers have no '{writing.unit}' and are read as if they had; the file settles it"
        return self._codes(seen)

    def _codes(self, seen: Observation) -> str | None:
        """Numbers that may be names."""
        if seen.versions:
            first, second = seen.versions
            settle = 'features with {"kind": "category"} or {"kind": "number"} settles it'
            return f"'{first}' and '{second}' are read as the same number, and may be different versions; {settle}"
        is_named = CODES.search(seen.name.strip()) or CODES.search(seen.name.strip().lower())
        writing = _writing(seen)
        is_typed_text = not seen.numeric and writing is not None and writing.is_plain
        if not self.whole(seen) or not (is_named or is_typed_text):
            return None
        settle = 'dataset.features with {"kind": "category"} or {"kind": "number"} settles it'
        return f"its whole numbers may be quantities, or codes or classes; {settle}"

    def whole(self, seen: Observation) -> bool:
        if not pa.types.is_string(seen.type) or (seen.numeric and self.decimal != ","):
            return seen.whole
        writing = _writing(seen)
        return writing is not None and (self.decimal or ".") not in writing.fractions

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """int64 if the column and these values have whole numbers only, else float64."""
        is_usual = self.decimal != "," and not self.missing and not column.integer
        if is_usual and pa.types.is_string(values.type) and (numbers := parse(values)) is not None:
            return numbers
        if pa.types.is_string(values.type):
            numerals, wrong = plain(values, self.decimal or ".", self.unit, self.missing)
            if pc.any(wrong).as_py():
                raise pa.ArrowInvalid("not a number")
            try:
                values = numerals.cast(pa.int64() if column.integer else pa.float64())
            except pa.ArrowInvalid:
                values = numerals.cast(pa.float64())
        if missing := self._missing_numbers():
            told = pc.is_in(values.cast(pa.float64(), safe=False), value_set=pa.array(missing, pa.float64()))
            values = pc.if_else(told, pa.scalar(None, values.type), values)
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        if column.integer:
            with suppress(pa.ArrowInvalid):
                return values.cast(pa.int64())
        return values.cast(pa.float64())

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            if value is None or _is_number(value) or is_text(value):
                continue
            found = json_kind(value)
            found = "not" if found == "a number" else found
            raise CellError(row, f"must be a finite number; this is {found}")
        missing = self._missing_numbers()
        values = [None if isinstance(value, int | float) and float(value) in missing else value for value in values]
        if not any(isinstance(value, str) for value in values):
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
        written = pa.array([value if value is None else self._as_written(value) for value in values], pa.string())
        self._check(written)
        return written

    def _missing_numbers(self) -> list[float]:
        """The numbers among the words that mean a missing value, such as -999: a cell may have it as -999.0.

        Each is there as float32 has it, too, because a file may have its numbers so.
        """
        if not self.missing:
            return []
        words = pa.array(self.missing, pa.string())
        numerals = (plain(words, self.decimal or ".", self.unit)[0], plain(words, ".", "")[0])
        found = pc.coalesce(*numerals).drop_null().cast(pa.float64()).to_pylist()
        return [*found, *(float(np.float32(each)) for each in found)]

    def _as_written(self, value: Any) -> str:
        """A JSON number as the column has it. The shortest decimal of a float is read as the same float."""
        return value if isinstance(value, str) else str(value).replace(".", self.decimal or ".")

    def _check(self, written: pa.Array) -> None:
        numerals, wrong = plain(written, self.decimal or ".", self.unit, self.missing)
        if rows := pc.indices_nonzero(wrong).to_pylist():
            raise self._refused(written, rows[0])
        numbers = numerals.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if len(rows := np.flatnonzero(np.isinf(numbers))):
            raise self._refused(written, int(rows[0]))

    def _refused(self, written: pa.Array, row: int) -> CellError:
        return CellError(row, f"must be a finite number{self._example()}; this is {shown(written[row].as_py())}")

    def _example(self) -> str:
        if self.decimal is None and not self.unit:
            return ""
        digits = "1234" + (self.decimal or ".") + "5"
        return f" like '{digits}{' ' + self.unit if self.unit else ''}'"

    def show(self, value: Any, column: Column) -> JsonValue:
        """Infinities and NaN become null, because JSON has no such numbers."""
        is_odd = isinstance(value, float) and not np.isfinite(value)
        told: JsonValue = None if is_odd else value
        return told

    def numbers(self, values: pa.Array, column: Column) -> Reals | None:
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)

    def is_index(self, column: Column) -> bool:
        return column.integer and column.classes is None and column.name.strip().lower() in INDEX

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "vector"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        return Inputs("vector", (1,))

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> NumberEncoder:
        values = table.numbers(column.name)[train]
        values = values[np.isfinite(values)]
        mean, std = (float(values.mean()), float(values.std())) if len(values) else (0.0, 1.0)
        std = float(divisor(std, mean, len(values)))
        return NumberEncoder(name=column.name, mean=mean, std=std, reach=reach_of(values))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _writing(seen: Observation) -> Writing | None:
    """How the strings of the column are written, if all of them are numbers."""
    fitting = [each._writing for each in seen.fitting if isinstance(each, Number)]
    return fitting[0] if fitting and fitting[0].has_numbers else None


def _decimal(writing: Writing, seen: Observation) -> Literal[".", ","]:
    """The decimal mark: the only possible one, that of the file, or a point if nothing settles it."""
    if seen.decimal in writing.marks:
        return seen.decimal
    return "." if "." in writing.marks else ","
