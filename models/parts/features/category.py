"""Categories, one-hot."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from athanor.contract import Column
from models.data.table import Table
from models.parts.feature import CellError, Encoder, Feature, Naming, Observation, Rows, is_text, json_kind
from models.parts.inputs import InputKind, Inputs
from models.parts.oddity import LONGEST, SHOWN, Oddity

FEW = 20


class CategoryEncoder(Encoder):
    """One number for each value in the training rows; a value that is not among them is all zeros."""

    kind: Literal["category"] = "category"
    values: list[str]

    def inputs(self) -> Inputs:
        return Inputs("vector", (len(self.values),))

    def encode(self, table: Table) -> npt.NDArray[np.generic]:
        """x_NF, float64, one-hot."""
        index = {value: at for at, value in enumerate(self.values)}
        hot_NF = np.zeros((table.rows, len(index)))
        for row, value in enumerate(table.strings(self.name)):
            if value is not None and value in index:
                hot_NF[row, index[value]] = 1.0
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
    """One of a few values, one-hot; a value that the training rows do not have is all zeros."""

    kind: Literal["category"] = "category"

    precedence: ClassVar[int] = 40
    side_by_side: ClassVar[bool] = True
    place: ClassVar[int] = 1
    is_target: ClassVar[bool] = True
    repeats: ClassVar[bool] = True
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

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        """Strings, as they were written; true and false are words."""
        return values if pa.types.is_string(values.type) else values.cast(pa.string())

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            if not (value is None or is_text(value) or isinstance(value, int | float | bool)):
                raise CellError(row, f"must be a string; this is {json_kind(value)}")
        words = [str(value).lower() if isinstance(value, bool) else value for value in values]
        return pa.array([None if word is None else str(word) for word in words], pa.string())

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "vector"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        return Inputs("vector", (len(column.classes or []),))

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> CategoryEncoder:
        seen = table.strings(column.name)
        return CategoryEncoder(
            name=column.name, values=sorted({value for row in train if (value := seen[row]) is not None})
        )
