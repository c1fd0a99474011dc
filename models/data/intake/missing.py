"""Count missing values by part of the split, because one part may have more missing targets than another."""

import pyarrow as pa

from models.data.table import part_of

MOST_PARTS = 16
"""Columns by whose values missing ones are counted. Counts and time grow with this number times the columns."""


class Gaps:
    """Counts missing values batch by batch. `parts` are the columns that a split may use."""

    def __init__(self, parts: list[str]) -> None:
        self._counts: dict[str, dict[str, dict[str, int]]] = {part: {} for part in parts}

    @property
    def has_parts(self) -> bool:
        return bool(self._counts)

    def see(self, batch: pa.RecordBatch) -> None:
        """Add a batch. Of many columns that name nothing but parts of a split, the first MOST_PARTS are counted by."""
        named: list[str] = []
        for part in list(self._counts):
            values = batch.column(part).unique().drop_null().to_pylist()
            if any(part_of(value) is None for value in values):
                del self._counts[part]
            elif values:
                named.append(part)
        for part in named[MOST_PARTS:]:
            del self._counts[part]
        columns = zip(batch.schema.names, batch.columns, strict=True)
        gaps = [(name, values) for name, values in columns if values.null_count]
        for part in named[:MOST_PARTS]:
            part_values = batch.column(part)
            for name, values in gaps:
                counts = self._counts[part].setdefault(name, {})
                for value in part_values.filter(values.is_null()).drop_null().value_counts().to_pylist():
                    counts[value["values"]] = counts.get(value["values"], 0) + value["counts"]

    def of(self, column: str) -> dict[str, dict[str, int]] | None:
        """The number of rows without a value of `column`, by column in `parts` and by its value. None if it is 0."""
        return {part: counts[column] for part, counts in self._counts.items() if counts.get(column)} or None
