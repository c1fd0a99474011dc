"""Count missing values: all of a column, and by part of the split, since one part may have more than another."""

import pyarrow as pa
import pyarrow.compute as pc

from models.data.table import part_of

SHOWN = 10
"""Rows that are named."""
MOST_PARTS = 16
"""Columns by whose values missing ones are counted. Counts and time grow with this number times the columns."""


class Missing:
    """The number of missing values of a column, and the first rows without a value."""

    def __init__(self) -> None:
        self.count = 0
        self.rows: list[int] = []

    def see(self, values: pa.Array, start: int) -> None:
        """Add a batch, whose first row has the number `start`."""
        if values.null_count:
            self.count += values.null_count
            if len(self.rows) < SHOWN:
                rows = pc.indices_nonzero(pc.is_null(values)).slice(0, SHOWN - len(self.rows))
                self.rows += [start + row for row in rows.to_pylist()]


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
