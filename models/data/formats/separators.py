"""Separators that are no delimiters of a usual table, found where a table would else be read as a single column."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from athanor.contract import Warned
from models.data.counted import counted
from models.data.formats.dialect import DELIMITERS
from models.data.formats.header import NUMBER

SPACE, WRAPPED = " ", '"'
"""Two separators that stand for more: one or more spaces, and rows that are in quotes as a whole."""
_RARE = ("::", "||", "，", "；", "｜", "、", "^", "~", "\x01", "¦")  # noqa: RUF001 -- full width
_MOSTLY, _HALF = 0.9, 0.5
_FEWEST = 5
"""Rows from which values that repeat show a column of classes."""


@dataclass(frozen=True)
class Separator:
    """`rows` of `of` rows, and the first line, hold `count` times `mark`. `certain`: it separates values."""

    mark: str
    count: int
    rows: int
    of: int
    certain: bool

    @property
    def is_delimiter(self) -> bool:
        """Whether the delimiter of a table may be this mark."""
        return len(self.mark) == 1 and self.mark != WRAPPED

    @property
    def told(self) -> dict[str, JsonValue]:
        """What the dialect says of a separator that is no delimiter."""
        return {"quoting": "rows"} if self.mark == WRAPPED else {"delimiter": self.mark}

    def warned(self, name: str) -> Warned:
        """The warning about a table that was read as one column."""
        shown = (repr(self.mark),) * 2 if self.mark != SPACE else ("space between words", "spaces between words")
        cure = f"upload it with delimiter={self.mark!r}" if self.is_delimiter else "write tabs in their place (.tsv)"
        rows = counted(self.rows, "holds", "hold", of=f"{self.of:,} rows") + " " + counted(self.count, *shown)
        return Warned(
            code="single_column",
            message=f"the file was read as one column, {name[:40]!r}; {rows}, and so does the first line",
            suggestion=f"if they separate values, {cure}",
        )


_ONE_NUMBER = re.compile(r"[+-]?([0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?|[0-9.]+,[0-9]+)")
"""A number with a comma in it."""


def found(lines: Sequence[str]) -> Separator | None:
    """The separator of a file with these first lines, of which no usual delimiter makes several columns."""
    lines = [line.strip("\r\n") for line in lines if line.strip()]
    if len(lines) < 2:
        return None
    if _is_wrapped(lines):
        return Separator(WRAPPED, 1, len(lines) - 1, len(lines) - 1, True)
    each = (_of(lines, mark) for mark in _RARE if mark in lines[0])
    best = max((one for one in each if one is not None), key=lambda one: (one.certain, one.rows), default=None)
    return best or _of_spaces(lines)


def _of(lines: list[str], mark: str) -> Separator | None:
    count, rows = lines[0].count(mark), [line.split(mark) for line in lines[1:]]
    same = [row for row in rows if len(row) == count + 1]
    if len(same) < _HALF * len(rows):
        return None
    is_whole = len(same) == len(rows) and (len(mark) == 1 or not any("\t" in line for line in lines))
    is_certain = is_whole and (_has_numbers(rows) or _has_classes(rows))
    return Separator(mark, count, len(same), len(rows), is_certain)


def _of_spaces(lines: list[str]) -> Separator | None:
    """Words are apart by spaces, too: only numbers among them show a table, or many rows of as many words."""
    try:
        first, *rows = ([cell for cell in row if cell] for row in csv.reader(lines, delimiter=SPACE))
    except (csv.Error, ValueError):
        return None
    width = len(rows[0]) if rows else 0
    same = [row for row in rows if len(row) == width]
    # R names its rows, but not the column of their names.
    if len(first) not in (width, width - 1) or width < 2 or len(same) < _MOSTLY * len(rows):
        return None
    is_named = len(first) == width or '"' in lines[0]
    if not is_named and width < 3:
        # Numbers such as 12 345.
        return None
    numbers = sum(_are_numbers(column) for column in zip(*same, strict=True))
    is_table = numbers > 0 if width > 2 else numbers == width
    if not is_table and (width < 4 or len(rows) < _FEWEST):
        return None
    is_open = any("\t" in line for line in lines) or (has_runs(lines) and any('"' in line for line in lines))
    is_certain = is_table and is_named and len(same) == len(rows) and not is_open
    return Separator(SPACE, width - 1, len(same), len(rows), is_certain)


def _is_wrapped(lines: list[str]) -> bool:
    """Whether each line is in quotes as a whole, and holds a row."""
    if not all(len(line) > 1 and line[0] == line[-1] == WRAPPED for line in lines):
        return False
    inner = [_inner(line) for line in lines]
    if all(_ONE_NUMBER.fullmatch(each) for each in inner[1:]):
        return False
    for mark in DELIMITERS:
        try:
            widths = {len(row) for row in csv.reader(inner, delimiter=mark, strict=True)}
        except csv.Error:
            continue
        if len(widths) == 1 and max(widths) > 1 and f"{mark} " not in inner[0]:
            return True
    return False


def _inner(line: str) -> str:
    return line[1:-1].replace('""', '"')


def _has_numbers(rows: list[list[str]]) -> bool:
    return any(map(_are_numbers, zip(*rows, strict=True)))


def _are_numbers(cells: Sequence[str]) -> bool:
    return sum(1 for cell in cells if NUMBER.fullmatch(cell.strip())) >= _MOSTLY * len(cells)


def _has_classes(rows: list[list[str]]) -> bool:
    return len(rows) >= _FEWEST and any(2 * len(set(column)) <= len(rows) for column in zip(*rows, strict=True))


def has_runs(lines: Sequence[str]) -> bool:
    """Whether lines of a table with spaces for delimiters have several of them in a place, or some at their ends."""
    return any("  " in line or line.strip("\r\n") != line.strip() for line in lines)


def in_texts(lines: Sequence[str]) -> Separator | None:
    """The delimiter of a table among lines that are taken for texts: most lines hold it equally often."""
    lines = [line for line in lines if line.strip()]
    for mark in DELIMITERS:
        counts = Counter(line.count(mark) for line in lines)
        count, rows = counts.most_common(1)[0] if counts else (0, 0)
        # A comma or two may be in each sentence; a tab is seldom in any.
        if count >= (1 if mark == "\t" else 2) and len(lines) >= _FEWEST and rows >= _MOSTLY * len(lines):
            return Separator(mark, count, rows, len(lines), False)
    return None


def written_anew(lines: Iterable[bytes], mark: str) -> Iterator[bytes]:
    """The lines with a usual delimiter in place of `mark`: a tab, or one space for many, or what is within quotes."""
    for line in lines:
        row = line.rstrip(b"\r\n")
        end = line[len(row) :]
        if mark == WRAPPED:
            yield row[1:-1].replace(b'""', b'"') + end if row[:1] == row[-1:] == b'"' else line
        elif mark == SPACE:
            yield b" ".join(row.split()) + end
        else:
            yield row.replace(mark.encode(), b"\t") + end
