"""CSV and TSV: a header, then one row per record."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa

from athanor.contract import Hints, Warned
from models.data.formats.limits import Limits
from models.data.formats.lines import BATCH_BYTES, BATCH_ROWS, count, read_lines
from models.data.table import Source
from models.errors import DataError

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_SHOWN = 10
_CELLS = 500_000
"""Cells that are kept as Python's strings."""


def read(path: Path, limits: Limits, hints: Hints = Hints(), delimiter: str = ",") -> Source:  # noqa: B008 -- frozen
    """Read every value as a string; an empty string is a missing value. The intake decides which columns are numbers.

    If the header of a CSV has no comma but a semicolon or a tab, that is the delimiter. Rows with too few or too many
    fields are left out with a warning. Raises DataError for bad UTF-8, a bad header, a quote that is not closed, and
    where every row has too few or too many fields.
    """
    csv.field_size_limit(limits.max_cell_bytes)
    delimiter = hints.delimiter or _delimiter(path, limits, delimiter)
    records = _records(path, limits, delimiter)
    names = [name.strip() for name in next(records, [])]
    _check(names, limits)
    # Marks within quotes count, too. Only a file that was compressed very well has too many of them.
    marks = count(path, delimiter.encode() + b"\n")
    most_rows = marks // len(names)
    limits.check_cells(most_rows, len(names), "The file", is_text=True)
    source = Source(iter(()), untyped=True, is_text=True, most_rows=most_rows)
    if all(_NUMBER.fullmatch(name) for name in names):
        message = "every column name is a number: the first line was read as the header; add a header if it is data"
        source.warnings.append(Warned(code="header_of_numbers", message=message))
    source.batches = _batches(records, names, source, delimiter)
    return source


read_tsv = partial(read, delimiter="\t")


def _delimiter(path: Path, limits: Limits, delimiter: str) -> str:
    header = next((line for line in read_lines(path, limits) if line.strip()), "")
    if delimiter in header:
        return delimiter
    return max(";\t", key=header.count) if any(mark in header for mark in ";\t") else delimiter


def _records(path: Path, limits: Limits, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(read_lines(path, limits), delimiter=delimiter, strict=False)
    start = 1
    try:
        for record in reader:
            if record:
                yield record
            start = reader.line_num + 1
    except csv.Error as error:
        if "field limit" in str(error):
            what = f"A value in the row that starts at line {start} is too long (is a quote not closed?)"
            raise limits.refuse("max_cell_bytes", what) from error
        raise DataError(f"Line {reader.line_num} is not CSV: {error}. Correct it or write the file again.") from error


def _check(names: list[str], limits: Limits) -> None:
    if not names:
        raise DataError("The file is empty. The first line must name the columns.")
    if len(names) > limits.max_columns:
        raise limits.refuse("max_columns", f"The header names {len(names):,} columns")
    for position, name in enumerate(names, 1):
        if not name:
            raise DataError(f"Column {position} has no name in the header. Name it (pandas: to_csv(..., index=False)).")
        if len(name) > 200:
            raise DataError(f"The name of column {position} exceeds 200 characters. Does the file have a header?")
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise DataError(f"Two columns are called {twice!r}. Give every column its own name.")


def _packed(records: Iterator[tuple[int, list[str]]], names: list[str]) -> Iterator[pa.RecordBatch]:
    """The records in batches as large as those of `batched`. They become Arrow arrays early, which need less memory."""
    waiting, pieces = list[list[str]](), list[pa.RecordBatch]()
    rows = size = 0
    for width, record in records:
        waiting.append(record)
        rows, size = rows + 1, size + width
        is_full = rows >= BATCH_ROWS or size >= BATCH_BYTES
        if is_full or len(waiting) * len(names) >= _CELLS:
            pieces.append(_typed(waiting, names))
            waiting = []
        if is_full:
            yield pa.concat_batches(pieces)
            pieces, rows, size = [], 0, 0
    if waiting:
        pieces.append(_typed(waiting, names))
    if pieces:
        yield pa.concat_batches(pieces)


def _typed(rows: list[list[str]], names: list[str]) -> pa.RecordBatch:
    columns = [pa.array([value or None for value in column], pa.string()) for column in zip(*rows, strict=True)]
    return pa.record_batch(columns, names=names)


def _batches(
    records: Iterator[list[str]], names: list[str], source: Source, delimiter: str
) -> Iterator[pa.RecordBatch]:
    first = 0
    total = 0

    def kept() -> Iterator[tuple[int, list[str]]]:
        nonlocal first, total
        for total, record in enumerate(records, 1):
            if len(record) == len(names):
                yield sum(map(len, record)), record
            else:
                first = first or len(record)
                source.skipped.append(total)

    yield from _packed(kept(), names)
    if not source.skipped:
        return
    wanted = f"the {len(names):,} field{'s' if len(names) > 1 else ''} of the header"
    mark = "tab" if delimiter == "\t" else f"'{delimiter}'"
    row = f"row {source.skipped[0]:,} has {first:,}"
    cure = f"write every value of a row, and quotes around a value that contains a {mark}"
    if len(source.skipped) == total:
        raise DataError(f"No row has {wanted}; {row}. Correct the rows: {cure}.")
    message = f"{len(source.skipped):,} of {total:,} rows left out because they do not have {wanted}; {row}: {cure}"
    source.warnings.append(Warned(code="ragged_rows", message=message, rows=source.skipped[:_SHOWN]))
