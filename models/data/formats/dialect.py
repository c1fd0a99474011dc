"""How a table of text is written: its delimiter, its quotes, the lines above its header, and whether it has one."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from athanor.contract import Hints, Warned
from models.data.formats.header import NUMBER, Heading, heading
from models.data.formats.limits import Limits
from models.data.formats.sample import Record, Sample
from models.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+-?")
_CERTAIN_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),(\d{1,2}|\d{4,})-?|[+-]?0,\d+-?")
_POINT = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d*)\.\d+-?")
_RECORDS = 50
_LEAST = 0.5
"""The share of records with the usual number of fields, below which a mark is no delimiter."""


@dataclass(frozen=True)
class Dialect:
    """`names` are of the columns that are kept, the first of `width` fields. Rows begin after `line` lines."""

    delimiter: str
    quoting: bool
    names: list[str]
    width: int
    line: int
    told: dict[str, JsonValue] = field(default_factory=dict)
    warnings: list[Warned] = field(default_factory=list)
    decimal: Literal[".", ","] | None = None


def decide(sample: Sample, hints: Hints, preferred: str, limits: Limits) -> Dialect:
    """The dialect of a file with these first lines. `preferred` is the delimiter where nothing speaks for another.

    Raises DataError for a hint that the file contradicts, and for a header that cannot be one.
    """
    start, named = _separator_line(sample, hints)
    delimiter = hints.delimiter or named
    if delimiter is not None and (delimiter in '"\r\n' or delimiter == "\0"):
        raise DataError("delimiter is a quotation mark or a line end. Give the mark between the values of a row.")
    if first := next((line for line in sample.lines[start:] if line.strip()), ""):
        columns = first.count(delimiter or preferred) + 1
        if columns > limits.max_columns and first[:1] != '"':
            raise limits.refuse("max_columns", f"The header names {columns:,} columns")
    delimiter, quoting = _chosen(sample, start, preferred, [delimiter] if delimiter else DELIMITERS)
    records = sample.records(delimiter, quoting=quoting, start=start)
    if not records:
        raise DataError("The file is empty. The first line must name the columns.")
    found = heading(records, hints.header, limits)
    told: dict[str, JsonValue] = {"delimiter": delimiter, "header": found.has_names}
    if not quoting:
        told["quoting"] = "none"
    if found.line or start:
        told["skipped_lines"] = found.line
    if found.width > len(found.names):
        told["trailing_separator"] = True
    decimal = hints.decimal or _decimal(delimiter, found, records)
    if decimal:
        told["decimal"] = decimal
    return Dialect(delimiter, quoting, found.names, found.width, found.rows_from, told, found.warnings, decimal)


def _separator_line(sample: Sample, hints: Hints) -> tuple[int, str | None]:
    """The number of lines that say which delimiter follows, as Excel writes and reads them, and the delimiter."""
    match = _SEP.fullmatch(sample.lines[0]) if sample.lines else None
    if match is None:
        return 0, None
    if hints.delimiter not in (None, match[1]):
        raise DataError(
            f"Line 1 says {sample.lines[0].strip()!r}, but the delimiter is given as {hints.delimiter!r}. Drop one."
        )
    return 1, match[1]


def _chosen(sample: Sample, start: int, preferred: str, marks: tuple[str, ...] | list[str]) -> tuple[str, bool]:
    """The delimiter under which most records have equally many fields, and whether quotation marks are quotes.

    Records are equal under two marks where one is inside of numbers, such as 0,5: then cells that are numbers count.
    """
    has_quotes = any('"' in line for line in sample.lines)
    mark = preferred if len(marks) > 1 else marks[0]
    best, chosen = 0.0, (mark, mark != "\t" or not has_quotes)
    for mark in sorted(marks, key=lambda mark: mark != preferred):
        may_be_letters = has_quotes and (mark == "\t" or _swallows_lines(sample, start, mark))
        for quoting in (True, False) if may_be_letters else (True,):
            score = _consistency(sample, start, mark, quoting=quoting)
            if mark == "\t" and quoting and has_quotes and not _wrapped(sample, start):
                score *= 0.999
            if score > best + 1e-9:
                best, chosen = score, (mark, quoting)
    return chosen


def _swallows_lines(sample: Sample, start: int, mark: str) -> bool:
    """Whether quotes join lines: then they may be letters, which stay open."""
    return any(record.next - record.line > 1 for record in sample.records(mark, quoting=True, start=start))


def _consistency(sample: Sample, start: int, mark: str, *, quoting: bool) -> float:
    records = sample.records(mark, quoting=quoting, start=start)
    # A title has few fields, and a line with a quote that stays open is many lines.
    widths = Counter(len(record.fields) for record in records if len(record.fields) > 1)
    if not widths:
        return 0.0
    width, equal = max(widths.items(), key=lambda item: (item[1], item[0]))
    lines = sum(record.next - record.line for record in records)
    share = equal / len(records)
    if share < _LEAST:
        return 0.0
    cells = [cell for record in records[:_RECORDS] if len(record.fields) == width for cell in record.fields[:_RECORDS]]
    others = [other for other in DELIMITERS if other != mark]
    clean = sum(1 for cell in cells if NUMBER.fullmatch(cell.strip()) or not any(other in cell for other in others))
    # Where quotes swallow lines, the records are fewer than under a reading that leaves the lines alone.
    return share * (0.5 + 0.5 * clean / len(cells)) * (0.8 + 0.2 * len(records) / max(1, lines))


def _wrapped(sample: Sample, start: int) -> bool:
    """Whether quotation marks stand around whole values of a tab-separated file, with those inside of them doubled."""
    found = 0
    for line in sample.lines[start:]:
        for cell in line.rstrip("\r\n").split("\t"):
            if cell.startswith('"'):
                inner = cell[1:-1].replace('""', "")
                if len(cell) < 2 or not cell.endswith('"') or '"' in inner:
                    return False
                found += 1
    return found > 0


def _decimal(delimiter: str, found: Heading, records: list[Record]) -> Literal[".", ","] | None:
    """The decimal mark, if cells show it. Where the delimiter is a comma, each column shows it for itself."""
    if delimiter == ",":
        return None
    cells = [cell.strip() for record in records if record.line >= found.line for cell in record.fields]
    commas = sum(1 for cell in cells if _COMMA.fullmatch(cell))
    certain = any(_CERTAIN_COMMA.fullmatch(cell) for cell in cells)
    points = sum(1 for cell in cells if _POINT.fullmatch(cell))
    if certain and not points:
        return ","
    return "." if points and not commas else None
