"""Rows of a dataset to look at: all rows of a small one, batches from everywhere in a large one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from athanor.contract import Column
from models.data.columns import LONGEST_FIELD
from models.data.table import Rows, Table
from models.parts.feature import of

MOST_ROWS = 50_000
MOST_CELLS = 1_000_000
MOST_BYTES = 32 << 20
MOST_COLUMNS = 1_000
LONGEST_TEXT = 200
"""Characters of an average text above which a column is not looked at: it holds neither identifiers nor classes."""
SHOWN = 10
"""Rows that a warning names."""


@dataclass(frozen=True)
class Sample:
    """Cells as the features read them. `rows` are the numbers of the rows, from 1; `total` rows are in the dataset."""

    rows: Rows
    total: int
    columns: dict[str, pa.Array]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def extent(self) -> str:
        """The end of a sentence about the rows that were looked at; empty if these are all rows."""
        return f"; {len(self):,} of {self.total:,} rows were looked at" if len(self) < self.total else ""

    def first(self, chosen: npt.NDArray[np.bool_]) -> list[int]:
        """The numbers of the first rows that are chosen."""
        return [int(row) for row in self.rows[np.flatnonzero(chosen)[:SHOWN]]]

    @classmethod
    def of_file(cls, path: Path, columns: Sequence[Column], total: int) -> "Sample":
        """From the Parquet file of an upload, whose cells can all be read."""
        looked = [column for column in columns if _is_looked_at(column, total)][:MOST_COLUMNS]
        names = [column.name for column in looked]
        found: list[list[pa.Array]] = [[] for _ in names]
        rows: list[Rows] = []
        left, size = min(MOST_ROWS, MOST_CELLS // max(1, len(names))), 0
        with pq.ParquetFile(path) as file:
            counts = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
            starts = np.cumsum([1, *counts])
            for group in _spread(counts, left):
                batch = file.read_row_group(group, columns=names, use_threads=False).slice(0, left)
                for pieces, column in zip(found, looked, strict=True):
                    pieces.append(of(column).read(batch[column.name].combine_chunks(), column))
                rows.append(np.arange(starts[group], starts[group] + batch.num_rows))
                left, size = left - batch.num_rows, size + batch.nbytes
                if left <= 0 or size > MOST_BYTES:
                    break
        arrays = {name: pa.concat_arrays(pieces) for name, pieces in zip(names, found, strict=True) if pieces}
        return cls(np.concatenate(rows) if rows else np.zeros(0, np.int64), total, _simple(arrays))

    @classmethod
    def of_table(cls, table: Table, columns: Sequence[Column]) -> "Sample":
        """From a table whose cells were read: rows at even distances."""
        looked = [column for column in columns if _is_looked_at(column, table.rows)][:MOST_COLUMNS]
        most = min(MOST_ROWS, MOST_CELLS // max(1, len(looked)))
        step = max(1, -(-table.rows // max(1, most)))
        rows = np.arange(0, table.rows, step)
        cells = {column.name: table.data[column.name].combine_chunks() for column in looked}
        return cls(rows + 1, table.rows, _simple({name: values.take(pa.array(rows)) for name, values in cells.items()}))


def codes(values: pa.Array) -> tuple[npt.NDArray[np.int64], int]:
    """A number for each distinct value, a missing one included: of each row, and how many there are."""
    encoded = pc.dictionary_encode(values, null_encoding="encode")
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    return indices.astype(np.int64), len(encoded.dictionary)


def _is_looked_at(column: Column, rows: int) -> bool:
    return (
        column.shape is None
        and len(column.name) <= LONGEST_FIELD
        and (column.characters or 0) <= LONGEST_TEXT * max(1, rows)
    )


def _simple(arrays: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Those with one plain value in a row, which can be compared."""
    return {name: values for name, values in arrays.items() if not pa.types.is_nested(values.type)}


def _spread(counts: Sequence[int], most: int) -> list[int]:
    """Row groups at even distances that have about `most` rows together."""
    wanted = max(1, most // max(1, max(counts, default=1)))
    if sum(counts) <= most or wanted >= len(counts):
        return list(range(len(counts)))
    return [int(at) for at in np.unique(np.linspace(0, len(counts) - 1, wanted).round())]
