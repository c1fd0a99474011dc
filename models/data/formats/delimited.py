"""CSV and TSV: a header, then one row per record. Every value is a string."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import pyarrow as pa

from athanor.contract import Hints, Warned
from models.data.counted import counted
from models.data.formats import blocks, separators, spaces
from models.data.formats.dialect import Dialect, decide
from models.data.formats.limits import Limits
from models.data.formats.lines import BATCH_BYTES, BATCH_ROWS, read_table_lines
from models.data.formats.sample import look
from models.data.formats.text_file import TextFile, open_text, rewrite
from models.data.table import Source
from models.errors import DataError

_SHOWN = 10
_CELLS = 500_000
"""Cells that are kept as Python's strings."""


def read(path: Path, limits: Limits, hints: Hints = Hints(), delimiter: str = ",") -> Source:  # noqa: B008 -- frozen
    """Read every value as a string; an empty string is a missing value. The intake decides which columns are numbers.

    `dialect` of the source says how the file was read, as far as `hints` do not say it before. Rows with too few or too
    many fields are left out with a warning. Raises DataError where the encoding or the header is in doubt, where a
    quote is not closed, and where most rows have too few or too many fields.
    """
    return read_text(open_text(path, limits, hints.encoding), limits, hints, delimiter)


read_tsv = partial(read, delimiter="\t")


def read_text(text: TextFile, limits: Limits, hints: Hints, delimiter: str = ",") -> Source:
    """Read a text that was opened before. `delimiter` is the usual one of its format."""
    csv.field_size_limit(limits.max_cell_bytes)
    dialect = _dialect(text, limits, hints, delimiter)
    if dialect.delimiter == "\t" and dialect.quoting and text.quotes:
        dialect = blocks.with_quotes_as_letters(dialect, text)
    most_rows = max(0, text.lines + 1 - dialect.line)
    limits.check_cells(most_rows, len(dialect.names), "The file", is_text=True)
    source = Source(iter(()), untyped=True, is_text=True, most_rows=most_rows)
    source.dialect = text.dialect | dialect.told
    source.decimal = dialect.decimal
    source.warnings = [*text.warnings, *dialect.warnings]
    source.batches = _Rows(text, dialect, limits, source).batches()
    return source


def _dialect(text: TextFile, limits: Limits, hints: Hints, preferred: str) -> Dialect:
    """The dialect of the text, which is written anew where no reader takes it as it is."""
    sample = look(text.path, text.start, limits)
    dialect = decide(sample, hints, preferred, limits)
    lines = read_table_lines(text.path, text.start, limits)
    if dialect.width == 1 and hints.delimiter is None and (other := separators.found(sample.lines)) is not None:
        if not other.certain:
            dialect.warnings.append(other.warned(dialect.names[0]))
        elif other.is_delimiter:
            return _dialect(text, limits, hints.model_copy(update={"delimiter": other.mark}), preferred)
        else:
            rewrite(text, separators.written_anew(lines, other.mark), limits)
            text.start = 0
            within = hints.model_copy(update={"delimiter": None if other.mark == separators.WRAPPED else "\t"})
            dialect = _dialect(text, limits, within, preferred)
            dialect.told.update(other.told)
    elif dialect.quoting and sample.unspaced(dialect.delimiter):
        rewrite(text, spaces.without(lines, dialect.delimiter), limits)
        text.start = 0
        dialect.told["quoting"] = "after spaces"
    elif dialect.delimiter == separators.SPACE and not text.quotes and separators.has_runs(sample.lines):
        rewrite(text, separators.written_anew(lines, separators.SPACE), limits)
        text.start = 0
        dialect = decide(look(text.path, 0, limits), hints, preferred, limits)
    return dialect


@dataclass
class _Rows:
    """Reads the rows. Arrow takes a block of whole rows; this class takes it in its place where Arrow would misread it.

    `rows` counts the rows so far, those that are left out too, and `line` the lines up to the byte `counted`.
    """

    text: TextFile
    dialect: Dialect
    limits: Limits
    source: Source
    rows: int = 0
    line: int = 0
    odd: tuple[int, int, int] | None = None
    """Row, line and fields of the first row that is left out."""
    columns: list[str] = field(default_factory=list)
    counted: int = 0
    reached: int = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        at, end = self._start(), self.text.size
        self.columns = [str(number) for number in range(self.dialect.width)]
        with self.text.path.open("rb") as stream:
            while at < end:
                stream.seek(at)
                block = blocks.take(stream, self.dialect)
                batch = None if block is None else blocks.read(block, self.dialect, self.columns)
                if block is not None and batch is not None:
                    self._note(block, batch, at)
                    yield from self._kept(batch.rows, has_formulas=blocks.has_formulas(block))
                    at, self.rows = at + len(block), self.rows + batch.count
                    continue
                self._count_lines(at)
                # A cell that is longer than a block, or quotes that Arrow reads in another way than most programs.
                for rows in _packed(self._records(at, at + blocks.SIZE), self.columns):
                    yield from self._kept(rows, has_formulas=True)
                at = self.counted = self.reached
        self._conclude()

    def _start(self) -> int:
        """The byte at which the rows begin, after the lines above them."""
        at = self.text.start
        lines = read_table_lines(self.text.path, self.text.start, self.limits)
        for line in islice(lines, self.dialect.line):
            at += len(line)
        self.line, self.counted = self.dialect.line, at
        return at

    def _count_lines(self, at: int) -> None:
        """Bring `line` to the byte `at`. Only messages need it."""
        self.line += self.text.lines_between(self.counted, at)
        self.counted = at

    def _kept(self, rows: pa.RecordBatch, *, has_formulas: bool) -> Iterator[pa.RecordBatch]:
        """The rows without the field that a separator at their ends makes."""
        names = self.dialect.names
        for number in range(len(names), self.dialect.width):
            if rows.column(number).null_count < len(rows):
                raise DataError(
                    f"A row has a value in field {number + 1}, which has no name. Name the column in the header, or "
                    f"leave the value out. It is among rows {self.rows + 1:,} and the following."
                )
        if len(rows):
            columns = rows.columns[: len(names)]
            yield pa.record_batch([*map(blocks.as_texts, columns)] if has_formulas else columns, names=names)

    def _note(self, block: bytes, read: blocks.Block, at: int) -> None:
        """Note the rows of a block that are left out."""
        for number, width in read.ragged:
            if self.odd is None:
                self._count_lines(at)
                lines = csv.reader(_lines(block), delimiter=self.dialect.delimiter, quoting=_quoting(self.dialect))
                line, left = 0, number
                for fields in lines:
                    left -= bool(fields)
                    if not left:
                        break
                    line = lines.line_num
                self.odd = (self.rows + number, self.line + line + 1, width)
            self.source.skipped.append(self.rows + number)

    def _records(self, start: int, end: int) -> Iterator[tuple[int, list[str]]]:
        """The records from the byte `start` on, until one that ends after the byte `end`. `reached` is where it ends.

        Raises DataError with the line of a quote that stays open, or closes within a value of another line.
        """
        self.reached = start
        held = list[str]()

        def lines() -> Iterator[str]:
            for line in read_table_lines(self.text.path, start, self.limits, self.line):
                self.reached += len(line)
                decoded = line.decode()
                held.append(decoded)
                yield decoded

        first = self.line
        reader = csv.reader(lines(), delimiter=self.dialect.delimiter, quoting=_quoting(self.dialect), strict=False)
        try:
            for record in reader:
                is_last = self.reached >= self.text.size
                if self.dialect.quoting and (len(held) > 1 or is_last):
                    self._check(held)
                held.clear()
                if record:
                    self.rows += 1
                    if len(record) == self.dialect.width:
                        yield sum(map(len, record)), record
                    else:
                        self.odd = self.odd or (self.rows, self.line + 1, len(record))
                        self.source.skipped.append(self.rows)
                self.line = first + reader.line_num
                if self.reached >= end:
                    return
        except csv.Error as error:
            if "field limit" in str(error):
                what = f"A value in the row that starts at line {self.line + 1} is too long (is a quote not closed?)"
                raise self.limits.refuse("max_cell_bytes", what) from error
            raise DataError(f"Line {self.line + 1} is not CSV: {error}. Correct it or write the file again.") from error

    def _check(self, lines: list[str]) -> None:
        """Check that the quotes of a record of several lines close where values end."""
        try:
            list(csv.reader(lines, delimiter=self.dialect.delimiter, strict=True))
        except csv.Error as error:
            last = self.line + len(lines)
            where = "the end of the file" if "end of data" in str(error) else f"line {last:,}, within a value"
            raise DataError(
                f"Line {self.line + 1:,} opens a quote that closes only at {where}. Close it in its line, or double "
                'a quotation mark that is part of a value ("").'
            ) from error

    def _conclude(self) -> None:
        """The warning about rows that were left out. Raises DataError if these are most rows."""
        skipped, width = len(self.source.skipped), self.dialect.width
        if self.odd is None:
            return
        row, line, found = self.odd
        of = "header" if self.dialect.told.get("header") else "first row"
        wanted = f"the {counted(width, 'field', 'fields')} of the {of}"
        mark = "tab" if self.dialect.delimiter == "\t" else f"'{self.dialect.delimiter}'"
        example = f"row {row:,} (line {line:,}) has {found:,}"
        cure = f"write every value of a row, and quotes around a value that contains a {mark}"
        if 2 * skipped > self.rows:
            what = "No row has" if skipped == self.rows else f"{skipped:,} of {self.rows:,} rows do not have"
            raise DataError(
                f"{what} {wanted}; {example}. Correct the rows: {cure}. "
                "Delete lines above the header, or give the delimiter."
            )
        because = "was left out because it does not have", "were left out because they do not have"
        message = f"{counted(skipped, *because, of=f'{self.rows:,} rows')} {wanted}; {example}"
        rows = self.source.skipped[:_SHOWN]
        self.source.warnings.append(Warned(code="ragged_rows", message=message, rows=rows, suggestion=cure))


def _quoting(dialect: Dialect) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if dialect.quoting else csv.QUOTE_NONE


def _lines(block: bytes) -> Iterator[str]:
    return (line.decode() for line in block.splitlines(keepends=True))


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
