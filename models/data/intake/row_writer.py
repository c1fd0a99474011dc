"""Write the rows of a dataset to its file, in a thread: the next batch is looked at meanwhile."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

_REPEATED = 2
"""A column whose first batch has each value so often, on average, is written with a dictionary."""


class RowWriter:
    """A Parquet file that is written batch by batch. `first` is the first batch, which is not written yet."""

    def __init__(self, path: Path, first: pa.RecordBatch) -> None:
        words = [field.name for field in first.schema if _repeats(field.type, first.column(field.name))]
        self._file = pq.ParquetWriter(
            path, first.schema, compression="zstd", use_dictionary=words, write_statistics=False
        )
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch after those before it. Raises what the batch before it has raised."""
        # One batch is written and one waits, so that memory stays flat.
        if self._last is not None:
            self._last.result()
        self._last = self._thread.submit(self._file.write_batch, batch, batch.num_rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if kind is None and self._last is not None:
            self._last.result()
        self._file.close()


def _repeats(kind: pa.DataType, values: pa.Array) -> bool:
    if pa.types.is_list(kind):
        return True
    return bool(pa.types.is_string(kind)) and len(values.unique()) * _REPEATED <= len(values)
