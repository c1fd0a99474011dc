"""Missing values, told apart by a column of parts: a target may lack more of them in training than in the test."""

import pyarrow as pa

from models.data.table import part_of


class Gaps:
    """Sees every kept batch of a dataset. `parts` are columns that may turn out to say train, val and test."""

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
        """Rows without a value of `column`, by each column of parts and by its values; None where there is none."""
        return {part: counts[column] for part, counts in self._counts.items() if counts.get(column)} or None
