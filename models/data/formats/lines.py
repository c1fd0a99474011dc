"""Read lines of UTF-8 text from a stream one at a time, and group rows into batches."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from models.data.formats.limits import Limits
from models.errors import DataError

BATCH_ROWS = 10_000
BATCH_BYTES = 16 << 20
BATCH_CELLS = 1 << 22
"""A batch of narrow cells, such as booleans, takes more bytes than these while it is read."""
_PIECE = 1 << 20
Row = TypeVar("Row")


def read_lines(path: Path, limits: Limits) -> Iterator[str]:
    """Every line with its line end; a byte order mark is removed. Raises DataError with the number of a bad line."""
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(limits.max_line_bytes + 1):
            number += 1
            if len(line) > limits.max_line_bytes:
                raise limits.refuse("max_line_bytes", f"Line {number} is too long")
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"Line {number} is not UTF-8 text (byte {error.start + 1} of the line). Save the file as UTF-8."
                ) from error


def count(path: Path, marks: bytes) -> int:
    """How often these bytes are in the file. A reader looks so before it works: it takes no time."""
    found = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            found += sum(piece.count(mark) for mark in marks)
    return found


def batched(rows: Iterable[tuple[int, Row]]) -> Iterator[list[Row]]:
    """Group pairs of (bytes, row) into lists of at most BATCH_ROWS rows and about BATCH_BYTES bytes."""
    batch: list[Row] = []
    size = 0
    for width, row in rows:
        batch.append(row)
        size += width
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
