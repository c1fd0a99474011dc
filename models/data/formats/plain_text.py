"""Plain text: each line is a row of a column called ``text``."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from models.data.formats.limits import Limits
from models.data.formats.lines import batched, count, read_lines
from models.data.table import Source


def read(path: Path, limits: Limits) -> Source:
    """Read all lines. Empty lines are rows too, so that no part of the text is lost. Raises DataError for bad UTF-8.

    Raises OverLimit for too many lines.
    """
    limits.check_cells(count(path, b"\n"), 1, "The file", is_text=True)
    return Source(_batches(path, limits), is_text=True)


def _batches(path: Path, limits: Limits) -> Iterator[pa.RecordBatch]:
    lines = (line.removesuffix("\n").removesuffix("\r") for line in read_lines(path, limits))
    for rows in batched((len(line), line) for line in lines):
        yield pa.record_batch({"text": pa.array(rows, pa.string())})
