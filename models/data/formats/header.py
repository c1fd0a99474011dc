"""The header of a table of text: where it is, whether it is one, and the names of the columns."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from athanor.contract import Warned
from models.data.counted import counted
from models.data.formats.limits import Limits
from models.data.formats.sample import Record
from models.data.missing_words import MISSING
from models.errors import DataError

INDEX = "index"
_LONGEST_NAME = 200
_TITLES = 20
_ROWS, _CELLS = 200, 50_000
"""Rows, and cells of these, that are compared with the first line."""
_SHOWN = 10
NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?[%-]?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
_ABSENT = frozenset(word.lower() for word in MISSING)
_MOSTLY = 0.9
_SCALE = 8
"""As many numbers seldom rise from column to column by chance."""
_YEARS = range(1800, 2200)


@dataclass(frozen=True)
class Heading:
    """`names` are of the columns that are kept, the first of `width` fields of a row.

    `line` lines are above the header, or above the first row where `has_names` is false; rows begin after `rows_from`.
    """

    names: list[str]
    width: int
    line: int
    rows_from: int
    has_names: bool
    warnings: list[Warned] = field(default_factory=list)


def heading(records: Sequence[Record], given: bool | None, limits: Limits) -> Heading:
    """The heading of a table that begins with these records, at least one. `given`: whether it has a header."""
    warnings = list[Warned]()
    at = _first(records, given)
    if titles := records[:at]:
        shown = " ".join(cell for cell in titles[0].fields if cell).strip()[:40]
        count = records[at].line
        warnings.append(
            Warned(
                code="title_lines",
                message=f"the first {counted(count, 'line', 'lines')} of the file, {shown!r} …, "
                f"{'is' if count == 1 else 'are'} not part of the table and left out",
                suggestion="delete these lines if the table is not read as it should be",
            )
        )
    first = records[at]
    rows = [record.fields for record in records[at + 1 : at + 1 + _ROWS]]
    width, fields = _shape(first.fields, rows)
    against, data = _votes(fields, rows) if given is None else (1, 0)
    has_names = given if given is not None else not data or against > 0
    if len(fields) > limits.max_columns:
        what = "The header names" if has_names else "The first row has"
        raise limits.refuse("max_columns", f"{what} {len(fields):,} columns")
    if not has_names:
        names = [f"column_{number}" for number in range(1, len(fields) + 1)]
        if given is None:
            warnings.append(_no_header(names))
        return Heading(names, width, first.line, first.line, False, warnings)
    names, unnamed = _named(fields, rows)
    _check(names)
    if unnamed:
        warnings.append(
            Warned(
                code="unnamed_columns",
                message=f"columns without a name in the header: {len(unnamed):,}; they are called "
                + ", ".join(repr(names[number]) for number in unnamed[:_SHOWN]),
                suggestion="name every column in the header, or leave these out",
            )
        )
    if data or all(NUMBER.fullmatch(name) for name in names):
        warnings.append(_like_data(names))
    return Heading(names, width, first.line, first.next, True, warnings)


def _no_header(names: list[str]) -> Warned:
    return Warned(
        code="no_header",
        message=f"the file has no header: the first line is like those below, so it was read as a row, and the "
        f"{counted(len(names), 'column is', 'columns are')} called column_1 and so on",
        rows=[1],
        suggestion="add a line with the names of the columns; if the first line has them, upload with header=true",
    )


def _like_data(names: list[str]) -> Warned:
    numbers = sum(1 for name in names if NUMBER.fullmatch(name))
    return Warned(
        code="header_like_data",
        message="the first line was read as the header, and "
        + counted(numbers, "is a number", "are numbers", of=f"its {len(names):,} names"),
        suggestion="if the first line is a row, upload with header=false, or add a header",
    )


def _first(records: Sequence[Record], given: bool | None) -> int:
    """The place of the header, or of the first row: titles above it have fewer values than the rows below."""
    widths = Counter(len(record.fields) for record in records)
    usual = max(widths, key=lambda width: (widths[width], width))
    if usual < 2:
        return 0
    titles = (_is_title(record.fields) or len(record.fields) < usual - 1 for record in records[: _TITLES + 1])
    at = next((at for at, is_title in enumerate(titles) if not is_title), 0)
    if at == 0 or given:
        return at
    if given is False:
        return at if all(_is_title(record.fields) for record in records[:at]) else 0
    names, data = _votes(records[at].fields, [each.fields for each in records[at + 1 :]])
    return at if names > data else 0


def _is_title(fields: list[str]) -> bool:
    """A value at the start of a line, and nothing behind it."""
    return len(fields) == 1 or (len(fields) > 2 and not any(cell.strip() for cell in fields[1:]))


def _shape(first: list[str], rows: list[list[str]]) -> tuple[int, list[str]]:
    """The number of fields of a row, and the fields of the first line, without those that a trailing separator makes.

    R names its rows, but not the column of their names.
    """
    widths = Counter(map(len, rows))
    usual = max(widths, key=lambda width: (widths[width], width)) if rows else len(first)
    same = [row for row in rows if len(row) == usual]
    ends_empty = usual > 1 and bool(same) and not any(row[-1] for row in same)
    if len(first) == usual and first[-1] == "" and ends_empty:
        return usual, first[:-1]
    if len(first) == usual - 1:
        if ends_empty:
            return usual, first
        if _counts([row[0] for row in same]):
            return usual, ["", *first]
    if len(first) == usual + 1 and first[-1] == "" and rows:
        return usual, first[:-1]
    return len(first), first


def _votes(first: list[str], rows: list[list[str]]) -> tuple[int, int]:
    """How many columns say that the first line has names, and how many that it is a row.

    A name differs in kind from the values below it; a value does not.
    """
    most = max(10, min(_ROWS, _CELLS // len(first)))
    rows = [row for row in rows[:most] if len(row) >= len(first)]
    if not any(NUMBER.fullmatch(cell.strip()) for cell in first):
        # Files that were joined have a header between their rows.
        rows = [row for row in rows if row[: len(first)] != first]
    names = data = 0
    numbers = list[str]()
    has_missing = any(cell.strip() and cell.strip().lower() in _ABSENT for cell in first)
    for cell, *below in zip(first, *rows, strict=False):
        cell = cell.strip()
        values = [value.strip() for value in below if value.strip().lower() not in _ABSENT]
        # A missing value says nothing of the others in its line.
        if not cell or cell.lower() in _ABSENT or not values:
            continue
        kind = next((each for each in (NUMBER, _DATE) if _mostly(each, values)), None)
        if kind is None:
            distinct = set(values)
            if cell in distinct:
                data += 1
            elif len(values) > 3 and 2 * len(distinct) <= len(values):
                names += 1
        elif kind.fullmatch(cell):
            data += 1
            numbers += [cell] if kind is NUMBER else []
        else:
            names += 1
    if numbers and not has_missing and _are_names(numbers, rows):
        data -= len(numbers)
        names += 1
    return names, data


def _mostly(kind: re.Pattern[str], values: list[str]) -> bool:
    return sum(1 for value in values if kind.fullmatch(value)) >= _MOSTLY * len(values)


def _are_names(cells: list[str], rows: list[list[str]]) -> bool:
    """Whether numbers in the first line name columns: those that pandas gives, years, wavelengths or such.

    They rise from column to column, and the values below them mostly do not.
    """
    values = [_value(cell) for cell in cells]
    if len(values) < 2 or not _rises(values):
        return False
    steps = {round(after - before, 6) for before, after in pairwise(values)}
    if all(value in _YEARS for value in values) or (steps == {1} and values[0] == 0):
        return True
    if len(values) < _SCALE and (len(steps) > 1 or (len(values) < 3 and values[0] != 1)):
        return False
    below = [[_value(cell) for cell in row if NUMBER.fullmatch(cell.strip())] for row in rows]
    return 2 * sum(_rises(each) for each in below if len(each) > 1) <= len(rows)


def _value(cell: str) -> float:
    return float(cell.strip().rstrip("%-").replace(",", "."))


def _rises(values: list[float]) -> bool:
    return all(after > before for before, after in pairwise(values))


def _named(fields: list[str], rows: list[list[str]]) -> tuple[list[str], list[int]]:
    """The names, and the places of columns that had none. pandas writes its index as a first column without a name."""
    names = [name.strip().strip("\u200b\ufeff").strip() for name in fields]
    unnamed = []
    for at, name in enumerate(names):
        if name:
            continue
        if at == 0 and INDEX not in names and _numbers_rows([row[at] for row in rows if len(row) > at]):
            names[at] = INDEX
            continue
        number = at + 1
        while f"column_{number}" in names:
            number += len(names)
        names[at] = f"column_{number}"
        unnamed.append(at)
    return names, unnamed


def _numbers_rows(cells: list[str]) -> bool:
    """Whether the cells are whole numbers, none of them twice, as an index of rows that were perhaps shuffled."""
    return len(cells) > 1 and len(set(cells)) == len(cells) and all(cell.isdecimal() for cell in cells)


def _counts(cells: list[str]) -> bool:
    """Whether the cells count rows up."""
    if len(cells) < 2 or not all(cell.isdecimal() and len(cell) < 12 for cell in cells):
        return False
    values = [int(cell) for cell in cells]
    return all(after > before for before, after in pairwise(values))


def _check(names: list[str]) -> None:
    for position, name in enumerate(names, 1):
        if len(name) > _LONGEST_NAME:
            raise DataError(
                f"The name of column {position} exceeds {_LONGEST_NAME} characters. Does the file have a header? "
                "If not, upload it with header=false."
            )
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise DataError(f"Two columns are called {twice!r}. Give every column its own name.")
