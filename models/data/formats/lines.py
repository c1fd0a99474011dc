"""Read lines of text one at a time, and group rows into batches."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from models.data.formats.limits import Limits

BATCH_ROWS = 32_768
BATCH_BYTES = 16 << 20
BATCH_CELLS = 1 << 22
"""A batch of narrow cells, such as booleans, takes more bytes than these while it is read."""
Row = TypeVar("Row")


def read_lines(path: Path, start: int, limits: Limits, number: int = 0) -> Iterator[bytes]:
    """The lines from the byte `start` on, each with its LF or CRLF. `number` counts the lines above them."""
    with path.open("rb") as stream:
        stream.seek(start)
        while line := stream.readline(limits.max_line_bytes + 1):
            number += 1
            if len(line) > limits.max_line_bytes:
                raise limits.refuse("max_line_bytes", f"Line {number} is too long")
            yield line


def read_table_lines(path: Path, start: int, limits: Limits, number: int = 0) -> Iterator[bytes]:
    """The same for a table, where CR alone ends a line, too."""
    for line in read_lines(path, start, limits, number):
        if b"\r" in line[:-2]:
            end = b"\r\n" if line.endswith(b"\r\n") else b""
            *pieces, last = line.removesuffix(end).split(b"\r")
            yield from (piece + b"\r" for piece in pieces)
            if last + end:
                yield last + end
        else:
            yield line


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


def ahead(batches: Iterator[Row]) -> Generator[Row]:
    """The same batches. A thread makes the next one while the caller works on the last."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = thread.submit(next, batches, None)
            yield batch
