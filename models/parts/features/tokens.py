"""Lists of words, already split in the file."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from athanor.contract import Column
from models.data.table import Layout, Table
from models.parts.feature import CellError, Feature, Naming, Observation, Rows, is_text, json_kind
from models.parts.features.text import LONGEST, MAX_WORDS, WordsEncoder, expect_words, fit_words, normalized
from models.parts.inputs import InputKind, Inputs


class Tokens(Feature):
    """A list of words per row."""

    kind: Literal["tokens"] = "tokens"
    max_length: int = Field(
        MAX_WORDS, ge=1, le=LONGEST, description="words that are read of a row; further ones are cut off"
    )
    min_count: int = Field(
        1, ge=1, le=1_000_000, description="a word that occurs less often in the training part counts as unknown"
    )

    precedence: ClassVar[int] = 20
    can_be_missing: ClassVar[bool] = False
    counts_values: ClassVar[bool] = False
    names: ClassVar[Naming | None] = "words"

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        return cls() if pa.types.is_list(seen.type) else None

    def can_read(self, kind: pa.DataType, layout: Layout | None) -> bool:
        return layout is None and bool(pa.types.is_list(kind))

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        words = values.flatten()
        if (composed := normalized(words)) is words:
            return values
        offsets = pc.subtract(values.offsets, values.offsets[0])
        return pa.ListArray.from_arrays(offsets, composed, mask=pc.is_null(values))

    def cells(self, values: Sequence[Any], column: Column) -> pa.Array:
        for row, value in enumerate(values):
            if not (value is None or (isinstance(value, list) and all(map(is_text, value)))):
                raise CellError(row, f"must be a list of words; this is {json_kind(value)}")
        return pa.array(values, pa.list_(pa.string()))

    def words(self, values: pa.Array) -> list[list[str]] | None:
        rows: list[list[str]] = values.to_pylist()
        return rows

    def input_kind(self, column: Column, accepts: frozenset[InputKind]) -> InputKind:
        return "text"

    def expect(self, column: Column, accepts: frozenset[InputKind]) -> Inputs:
        return expect_words(column, max_length=self.max_length)

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> WordsEncoder:
        return fit_words(table, column.name, None, train, self.max_length, self.min_count)
