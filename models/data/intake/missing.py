"""Count missing values by part of the split: a target may have more of them in one part than in another."""

import pyarrow as pa

from models.data.table import part_of


class Gaps:
    """Counts missing values batch by batch. `parts` are the columns that a split may use."""

    def __init__(self, parts: list[str]) -> None:
        self._counts: dict[str, dict[str, dict[str, int]]] = {part: {} for part in parts}

    def see(self, batch: pa.RecordBatch) -> None:
        for part in list(self._counts):
            said = batch.column(part)
            if any(part_of(value) is None for value in said.unique().drop_null().to_pylist()):
                del self._counts[part]
                continue
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                if values.null_count:
                    counts = self._counts[part].setdefault(name, {})
                    for value in said.filter(values.is_null()).drop_null().value_counts().to_pylist():
                        counts[value["values"]] = counts.get(value["values"], 0) + value["counts"]

    def of(self, column: str) -> dict[str, dict[str, int]] | None:
        """Rows without a value of `column`, by each column of parts and each of its values; None if there are none."""
        return {part: counts[column] for part, counts in self._counts.items() if counts.get(column)} or None
