"""Lists of words, already split in the file."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import pyarrow as pa

from athanor.contract import Column
from models.data.table import Table
from models.parts.feature import CellError, Feature, Naming, Observation, Rows, is_text, json_kind
from models.parts.features.text import WordsEncoder, expect_words, fit_words
from models.parts.inputs import InputKind, Inputs


class Tokens(Feature):
    """A list of words per row."""

    kind: Literal["tokens"] = "tokens"

    precedence: ClassVar[int] = 20
    can_be_missing: ClassVar[bool] = False
    repeats: ClassVar[bool] = True
    counts_values: ClassVar[bool] = False
    names: ClassVar[Naming | None] = "words"

    @classmethod
    def recognize(cls, seen: Observation) -> Feature | None:
        return cls() if pa.types.is_list(seen.type) else None

    def read(self, values: pa.Array, column: Column) -> pa.Array:
        return values

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
        return expect_words(column)

    def fit(self, table: Table, column: Column, train: Rows, accepts: frozenset[InputKind]) -> WordsEncoder:
        return fit_words(table, column.name, None, train)
