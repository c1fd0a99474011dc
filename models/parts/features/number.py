"""Numbers, scaled to zero mean and unit variance."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from athanor.contract import Column
from models.data.table import Table
from models.parts import numerals
from models.parts.feature import CellError, Encoder, Feature, Naming, Observation, Reals, Rows, json_kind
from models.parts.inputs import InputKind, Inputs
from models.parts.oddity import EXAMPLES, Oddity
from models.parts.scaling import divisor

MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "none", "?")
"""In a column whose other values are all numbers, these words mean a missing value. Elsewhere they are words."""

NUMERAL = r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
WHOLE = r"^[+-]?(0|[1-9][0-9]{0,17})$"
INDEX = {"id", "index", "idx", "row", "unnamed: 0"}
"""Names of columns that number the rows, in lower case."""

LARGEST = float(np.finfo(np.float64).max)


class NumberEncoder(Encoder):
    """(value − mean) / std; a missing value is the mean."""

    kind: Literal["number"] = "number"
    mean: float
    std: float

    def inputs(self) -> Inputs:
        return Inputs("vector", (1,))

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NF, float64, F = 1."""
        return np.nan_to_num((table.numbers(self.name) - self.mean) / self.std, nan=0.0)[:, None]

    def odd(self, table: Table, column: Column) -> list[Oddity]:
        """Missing values, and numbers further from the numbers of the dataset than these are from each other."""
        found = super().odd(table, column)
        if column.min is None or column.max is None:
            return found
        values = table.numbers(self.name)
        with np.errstate(over="ignore"):
            reach = np.float64(column.max) - column.min
            far = np.flatnonzero((values < column.min - reach) | (values > column.max + reach)).tolist()
        what = f"are far from the numbers of the dataset, which go from {column.min:.6g} to {column.max:.6g}"
        suggestion = "check the unit and the decimal mark of these numbers"
        shown = [f"{value:.6g}" for value in values[far[:EXAMPLES]]]
        return [*found, Oddity.of_rows("far_from_training", what, suggestion, far, len(values), shown)]

    def stands_in(self) -> str:
        return f"{self.mean:.6g}, the mean of the training rows"


class Number(Feature):
    """A number, to zero mean and unit variance over the training rows. A missing value is the mean."""

    kind: Literal["number"] = "number"

    precedence: ClassVar[int] = 30
    side_by_side: ClassVar[bool] = True
    is_target: ClassVar[bool] = True
    names: ClassVar[Naming | None] = "whole numbers"
    reads_numerals: ClassVar[bool] = True

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        is_number = seen.numeric or pa.types.is_integer(seen.type) or pa.types.is_floating(seen.type)
        return cls() if is_number else None

    def whole(self, seen: Observation) -> bool:
        return seen.whole

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """int64 if the column and these values have whole numbers only, else float64."""
        if pa.types.is_string(values.type) and not column.integer and (numbers := numerals.parse(values)) is not None:
            return numbers
        if pa.types.is_string(values.type):
            values = pc.replace_substring_regex(trimmed(values), r"^\+", "")
            if not (column.integer and all_match(values, WHOLE)):
                values = values.cast(pa.float64())
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        if column.integer:
            with suppress(pa.ArrowInvalid):
                return values.cast(pa.int64())
        return values.cast(pa.float64())

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            if value is None or _is_number(value) or (isinstance(value, str) and _is_numeral(value)):
                continue
            found = json_kind(value)
            found = "not" if found == "a number" else found
            raise CellError(row, f"must be a finite number; this is {found}")
        if any(isinstance(value, str) for value in values):
            # The shortest decimal of a float is read as the same float.
            return pa.array([None if value is None else str(value) for value in values], pa.string())
        return pa.array([None if value is None else float(value) for value in values], pa.float64())

    def show(self, value: Any, column: Column) -> JsonValue:
        """Infinities and NaN become null, because JSON has no such numbers."""
        shown: JsonValue = None if isinstance(value, float) and not np.isfinite(value) else value
        return shown

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
        return NumberEncoder(name=column.name, mean=mean, std=float(divisor(std, mean, len(values))))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_numeral(value: str) -> bool:
    """Whether a string may be a value of a number column in an upload."""
    stripped = value.strip()
    return stripped in MISSING or (re.fullmatch(NUMERAL, stripped) is not None and abs(float(stripped)) <= LARGEST)


def trimmed(values: pa.Array) -> pa.Array:
    """Strings without white space around them; words for a missing value become null."""
    values = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.is_in(values, value_set=pa.array(MISSING, pa.string())), pa.scalar(None, pa.string()), values)


def all_match(values: pa.Array, pattern: str) -> bool:
    """Whether every string that is not null matches."""
    return pc.all(pc.match_substring_regex(values, pattern)).as_py() is not False
