"""The rows of a sheet of a workbook, and its formulas without results. Imports openpyxl, which only workbooks need."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import FORMULA_TAG, VALUE_TAG, WorkSheetParser

from athanor.contract import Warned
from models.data.counted import counted
from models.errors import DataError

SHOWN = 10
_KEPT = 100
"""Lines that are kept: some are above the rows of data."""
_CURE = "Open the workbook in Excel or LibreOffice, save it there, and upload it again"


@dataclass
class Uncalculated:
    """Formulas without a stored result, counted by the number of their column, and the name of the first."""

    counts: Counter[int] = field(default_factory=Counter)
    first: dict[int, str] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    """The first lines that have such a formula beside values, from 0. Lines without values do not count."""
    is_here: bool = False
    """Whether the line that is read now has one."""

    def see(self, row: int, column: int) -> None:
        self.is_here = True
        self.counts[column] += 1
        self.first.setdefault(column, f"{get_column_letter(column)}{row}")

    def end(self, line: int | None) -> None:
        """Note that a line with this number ends, or one without values."""
        if self.is_here and line is not None and len(self.lines) < _KEPT:
            self.lines.append(line)
        self.is_here = False

    def check(self, sheet: str, rows: int) -> None:
        """Raises DataError if a column lacks the results in half of the rows or more.

        `rows` counts the rows of the sheet, with its header.
        """
        if not self.counts:
            return
        column, most = self.counts.most_common(1)[0]
        if 2 * most >= rows - 1:
            raise DataError(
                f"Column {get_column_letter(column)} of the sheet {sheet[:40]!r} has formulas without results, the "
                f"first in {self.first[column]}, {most:,} in all: the program that wrote the file did not calculate "
                f"them. {_CURE}."
            )

    def warnings(self, above: int) -> list[Warned]:
        """A warning about single cells. `above` lines are above the first row of data."""
        if not self.counts:
            return []
        what = counted(self.counts.total(), "cell has a formula", "cells have formulas")
        message = f"{what} without a result, and no value for a job: {next(iter(self.first.values()))} is the first"
        rows = [line - above + 1 for line in self.lines if line >= above][:SHOWN]
        cure = _CURE[0].lower() + _CURE[1:]
        return [Warned(code="uncalculated_formulas", message=message, rows=rows, suggestion=cure)]


def rows(sheet: Any, uncalculated: Uncalculated) -> Iterator[list[Any]]:
    """The values of each row that the file has, up to its last value: rows may have formatted cells up to the end.

    openpyxl reads either formulas or results. So that one pass finds both, this looks at the elements it parses.
    """
    book = sheet.parent
    with sheet._get_source() as stream:
        parser = WorkSheetParser(
            stream,
            sheet._shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        parse = parser.parse_cell

        def parse_cell(element: Any) -> dict[str, Any]:
            cell: dict[str, Any] = parse(element)
            if cell["value"] is None and _lacks_result(element):
                uncalculated.see(cell["row"], cell["column"])
            return cell

        parser.parse_cell = parse_cell
        for _, cells in parser.parse():
            filled = [cell for cell in cells if cell["value"] is not None]
            values: list[Any] = [None] * max((cell["column"] for cell in filled), default=0)
            for cell in filled:
                values[cell["column"] - 1] = cell["value"]
            yield values


def _lacks_result(element: Any) -> bool:
    """Whether a cell without a value has a formula. An empty text is a result, which is stored as an empty value."""
    is_empty_text = element.get("t") == "str" and element.find(VALUE_TAG) is not None
    return element.find(FORMULA_TAG) is not None and not is_empty_text
