"""Workbooks of Excel (.xlsx): the first visible sheet that has two lines or more, as a table of text."""

import csv
import io
import mimetypes
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from athanor.contract import Hints, Warned
from models.data.counted import counted
from models.data.formats import delimited
from models.data.formats.archive import NUMBERS, Archive
from models.data.formats.limits import Limits
from models.data.formats.swapped_dates import SwappedDates
from models.data.formats.text_file import TextFile, rewrite
from models.data.table import Source
from models.errors import DataError

_BROKEN = (ArithmeticError, AttributeError, LookupError, SyntaxError, TypeError, ValueError, zipfile.BadZipFile)
"""Errors of openpyxl for a file that is no workbook. SyntaxError is for broken XML."""
_SHOWN = 5


def read(path: Path, limits: Limits, hints: Hints = Hints()) -> Source:  # noqa: B008 -- frozen
    """Cells as text: dates and times in ISO 8601, true and false, and an error of a formula as a missing value.

    Empty rows are left out. The header is found as in a CSV file. Raises DataError for a file that is no workbook, and
    for a column of formulas without results.
    """
    _check_members(path, limits)
    text = TextFile(path)
    # openpyxl would read the system's lists of types, which an enclosed process cannot open.
    mimetypes.knownfiles.clear()
    # Only this format needs it, and the service imports all formats.
    import openpyxl

    try:
        with warnings.catch_warnings():
            # About formats and extensions, which are of no use here.
            warnings.simplefilter("ignore")
            with path.open("rb") as stream:
                book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
                sheet, others, shape = _spool(text, book, limits, least=1 if hints.header is False else 2)
                book.close()
    except DataError:
        raise
    except _BROKEN as error:
        raise DataError(f"The workbook cannot be read ({str(error)[:200]}). Save it again as .xlsx or .csv.") from error
    given = hints.model_copy(update={"delimiter": ",", "decimal": "."})
    source = delimited.read_text(text, limits, given)
    told = {key: value for key, value in source.dialect.items() if key in ("header", "skipped_lines")}
    source.dialect = {"sheet": sheet, **told}
    above = int(bool(told.get("header"))) + int(str(told.get("skipped_lines", 0)))
    source.warnings += shape.uncalculated.warnings(above)
    source.batches = shape.dates.told(source.batches, source.warnings, above)
    if others:
        shown = ", ".join(repr(name[:40]) for name in others[:_SHOWN])
        more = counted(len(others), "more sheet, which was", "more sheets, which were")
        source.warnings.append(
            Warned(
                code="other_sheets",
                message=f"the workbook has {more} not read: {shown}",
                suggestion=f"if {sheet[:40]!r} is not the sheet you mean, save that one as a file of its own",
            )
        )
    return source


def _check_members(path: Path, limits: Limits) -> None:
    """Check what the workbook expands to. A reader takes no more of a member than the directory says."""
    archive = Archive(path, limits, free=NUMBERS)
    try:
        for member in archive.members:
            archive.expand(member.file_size)
    finally:
        archive.close()


def _spool(text: TextFile, book: Any, limits: Limits, least: int) -> tuple[str, list[str], "_Shape"]:
    """Write the first sheet with two lines or more as CSV, a hidden one only if no other has them.

    One line is a cover. Where all sheets have fewer, one with `least` lines is read. Returns its name, those of the
    other sheets, and what is in it. Raises DataError if there is none.
    """
    sheets = sorted(book.worksheets, key=lambda each: bool(each.sheet_state != "visible"))
    for lines in range(2, least - 1, -1):
        for sheet in sheets:
            shape = _Shape(limits)
            rewrite(text, shape.pieces(sheet), limits)
            if shape.rows < lines and max(shape.uncalculated.counts.values(), default=0) < lines:
                continue
            shape.uncalculated.check(sheet.title, shape.rows)
            if shape.differ:
                rewrite(text, _padded(text.path, shape.width), limits)
            if shape.durations:
                are = counted(shape.durations, "cell is a duration, and is", "cells are durations, and are")
                message = f"{are} read as numbers of seconds"
                cure = "send seconds to predict, too"
                text.warnings.append(Warned(code="durations", message=message, suggestion=cure))
            text.lines = shape.rows
            text.quotes = sum(piece.count(b'"') for piece in text.pieces())
            return sheet.title, [other.title for other in book.worksheets if other is not sheet], shape
    raise DataError(_no_rows([sheet.title for sheet in sheets]))


def _no_rows(sheets: Sequence[str]) -> str:
    named = ", ".join(repr(name[:40]) for name in sheets[:_SHOWN]) + (" …" if len(sheets) > _SHOWN else "")
    what = f"its sheet {named} has" if len(sheets) == 1 else f"none of its {len(sheets):,} sheets {named} has"
    no = "no more than one line" if len(sheets) == 1 else "more than one line"
    return f"The workbook has no rows: {what} {no}. Save it with a sheet that has a header and rows."


class _Shape:
    """Counts the rows of a sheet, and the cells of its longest row, while it becomes CSV."""

    def __init__(self, limits: Limits) -> None:
        from models.data.formats import sheet_rows

        self._limits, self._read = limits, sheet_rows.rows
        self.uncalculated = sheet_rows.Uncalculated()
        self.rows = self.width = 0
        self.differ = False
        self.durations = 0
        self.dates = SwappedDates()

    def pieces(self, sheet: Any) -> Iterator[bytes]:
        for row in self._read(sheet, self.uncalculated):
            cells = [_text(value) for value in row]
            self.durations += sum(1 for value in row if isinstance(value, timedelta))
            while cells and not cells[-1]:
                cells.pop()
            self.uncalculated.end(self.rows if cells else None)
            if not cells:
                continue
            if len(cells) > self._limits.max_columns:
                raise self._limits.refuse("max_columns", f"A row has {len(cells):,} cells")
            self.differ = self.differ or (self.rows > 0 and len(cells) != self.width)
            self.dates.see(row, self.rows)
            self.rows, self.width = self.rows + 1, max(self.width, len(cells))
            self._limits.check_cells(self.rows, self.width, "The sheet", is_text=True)
            yield _line(cells)


def _padded(path: Path, width: int) -> Iterator[bytes]:
    """The rows of a CSV file, each with `width` cells."""
    with path.open(encoding="utf-8", newline="") as stream:
        for cells in csv.reader(stream):
            yield _line(cells + [""] * (width - len(cells)))


def _line(cells: list[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode("utf-8", "replace")


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return str(value.total_seconds())
        case str() if value.startswith("#") and value in _ERRORS:
            return ""
    return str(value)


_ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA", "#SPILL!"})
