"""What a first reading shows of a column, and the kind and Arrow type that follow from it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.data.table import Layout

Kind = Literal["number", "category", "text", "tokens", "image", "array"]

MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "none", "?"]
"""In a column whose other values are all numbers, these words mean that there is none. Elsewhere they are words."""

LONGEST_CLASS = 200
_NUMBER = r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE = r"^[+-]?(0|[1-9][0-9]{0,17})$"
_EXACT = 2.0**53
_FEW = 20
SHOWN = 10
_MOST_STRAYS = 10_000
"""With more of them no number is looked for any longer: a long text would be searched for nothing."""


@dataclass(frozen=True)
class Conversion:
    """The kind of a column, and how a raw batch of it becomes what is kept."""

    kind: Kind
    type: pa.DataType

    def apply(self, values: pa.Array) -> pa.Array:
        """Values of `type`. Raises ArrowInvalid for a value that the first reading did not see."""
        if self.kind != "number":
            return values if values.type == self.type else values.cast(self.type)
        if pa.types.is_string(values.type):
            values = _trimmed(values)
            values = pc.replace_substring_regex(values, r"^\+", "")
            if not (pa.types.is_integer(self.type) and _all(values, _WHOLE)):
                values = values.cast(pa.float64())
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        return values.cast(self.type)


@dataclass(frozen=True)
class Strays:
    """Values that are no numbers among many that are: the first few, with their kept rows."""

    numbers: int
    values: int
    at: list[tuple[int, str]]


class Evidence:
    """Gathers batches of one column; `conversion` judges them."""

    def __init__(self, kind: pa.DataType, layout: Layout | None, *, untyped: bool, most: int) -> None:
        self._type, self._layout, self._most = kind, layout, most
        self._looks = untyped and pa.types.is_string(kind)
        self._whole = True
        self._numbers = 0
        self._strays = 0
        self._strays_at: list[tuple[int, str]] = []
        self._present = 0
        self._words = 0
        self._distinct: set[str] | None = set() if pa.types.is_string(kind) else None

    def see(self, values: pa.Array, start: int) -> None:
        """Learn from a raw batch whose first row is number `start` of the kept rows."""
        if self._layout is not None:
            return
        if self._looks:
            self._see_numerals(_trimmed(values), start)
        values = values.drop_null()
        if pa.types.is_string(self._type):
            self._see_strings(values)
        elif pa.types.is_floating(self._type):
            self._whole = self._whole and _is_whole(values)
        elif pa.types.is_uint64(self._type) and len(values):
            self._whole = self._whole and pc.max(values).as_py() < 2**63

    def _see_numerals(self, values: pa.Array, start: int) -> None:
        strays = pc.indices_nonzero(pc.invert(pc.fill_null(pc.match_substring_regex(values, _NUMBER), True)))
        self._numbers += len(values) - values.null_count - len(strays)
        self._strays += len(strays)
        self._looks = self._strays <= _MOST_STRAYS
        for row in strays.slice(0, SHOWN - len(self._strays_at)).to_pylist():
            self._strays_at.append((start + row, values[row].as_py()))
        numbers = values.drop_null()
        if not self._strays and not _all(numbers, _WHOLE):
            numbers = pc.replace_substring_regex(numbers, r"^\+", "")
            self._whole = self._whole and _is_whole(numbers.cast(pa.float64()))

    def strays(self) -> Strays | None:
        """What keeps a column from being one of numbers, where nine of ten values are."""
        if not self._looks or not 0 < 9 * self._strays <= self._numbers:
            return None
        return Strays(self._numbers, self._numbers + self._strays, self._strays_at)

    def _see_strings(self, values: pa.Array) -> None:
        self._present += len(values)
        if self._distinct is not None and len(values):
            self._words += pc.sum(pc.count_substring_regex(values, r"\S+")).as_py()
            if pc.max(pc.binary_length(values)).as_py() <= LONGEST_CLASS:
                self._distinct.update(pc.unique(values).to_pylist())
            else:
                self._distinct = None
        if self._distinct is not None and len(self._distinct) > self._most:
            self._distinct = None

    def conversion(self, *, declared: bool, named: bool) -> Conversion:
        """The judgement. `declared` columns are known to be classes, `named` ones are called like a target."""
        if self._layout is not None:
            return Conversion(self._layout.kind, pa.binary(self._layout.width))
        if pa.types.is_list(self._type):
            return Conversion("tokens", self._type)
        if pa.types.is_boolean(self._type):
            return Conversion("category", pa.string())
        if not pa.types.is_string(self._type):
            return Conversion("number", pa.int64() if self._whole else pa.float64())
        if self._looks and self._numbers and not self._strays:
            return Conversion("number", pa.int64() if self._whole else pa.float64())
        return Conversion("category" if self._is_category(declared, named) else "text", pa.string())

    def _is_category(self, declared: bool, named: bool) -> bool:
        """Few distinct short strings that come again: 20, or a tenth of the rows; half under a target's name."""
        if self._distinct is None:
            return False
        if declared or not self._present:
            return True
        distinct = len(self._distinct)
        if named:
            return distinct <= max(_FEW, self._present // 2)
        repeated = distinct < self._present
        return repeated and distinct <= max(_FEW, self._present // 10) and self._words <= 3 * self._present


def _trimmed(values: pa.Array) -> pa.Array:
    values = pc.utf8_trim_whitespace(values)
    missing = pc.is_in(values, value_set=pa.array(MISSING, pa.string()))
    return pc.if_else(missing, pa.scalar(None, pa.string()), values)


def _all(values: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(values, pattern)).as_py() is not False


def _is_whole(values: pa.Array) -> bool:
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
    numbers = numbers[~np.isnan(numbers)]
    return bool(np.all((np.abs(numbers) <= _EXACT) & (np.floor(numbers) == numbers)))
