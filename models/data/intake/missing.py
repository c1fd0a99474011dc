"""Count missing values by part of the split, because one part may have more missing targets than another."""

import pyarrow as pa

from models.data.table import part_of
from models.errors import DataError

MOST_PARTS = 16
"""Columns that a split may use. The counts, and the time that they take, grow with this number times the columns."""


class Gaps:
    """Counts missing values batch by batch. `parts` are the columns that a split may use."""

    def __init__(self, parts: list[str]) -> None:
        self._counts: dict[str, dict[str, dict[str, int]]] = {part: {} for part in parts}

    def see(self, batch: pa.RecordBatch) -> None:
        """Add a batch. Raises DataError if more than MOST_PARTS columns name nothing but parts of a split."""
        named: list[str] = []
        for part in list(self._counts):
            values = batch.column(part).unique().drop_null().to_pylist()
            if any(part_of(value) is None for value in values):
                del self._counts[part]
            elif values:
                named.append(part)
        if len(named) > MOST_PARTS:
            shown = ", ".join(map(repr, named[:5]))
            raise DataError(
                f"{len(named):,} columns contain only train, val and test ({shown}); {MOST_PARTS} may. "
                "Leave out the columns that no split needs."
            )
        columns = zip(batch.schema.names, batch.columns, strict=True)
        gaps = [(name, values) for name, values in columns if values.null_count]
        for part in named:
            part_values = batch.column(part)
            for name, values in gaps:
                counts = self._counts[part].setdefault(name, {})
                for value in part_values.filter(values.is_null()).drop_null().value_counts().to_pylist():
                    counts[value["values"]] = counts.get(value["values"], 0) + value["counts"]

    def of(self, column: str) -> dict[str, dict[str, int]] | None:
        """The number of rows without a value of `column`, by column in `parts` and by its value. None if it is 0."""
        return {part: counts[column] for part, counts in self._counts.items() if counts.get(column)} or None
