"""Dates whose days a spreadsheet took for months."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from models.data.formats import workbook
from models.data.formats.limits import Limits
from models.data.intake import Intake, ingest
from tests.models.data.checks.tables import told

DAYS = [datetime(2020, 1, 1) + timedelta(days=3 * at) for at in range(120)]


def _taken(path: Path, cells: Iterable[Any], *above: list[Any]) -> Intake:
    book = openpyxl.Workbook()
    for row in (*above, ["when", "n", "label"], *([cell, at, "ab"[at % 2]] for at, cell in enumerate(cells))):
        book.active.append(row)
    book.save(path)
    return ingest(workbook.read(path, Limits()), path.with_suffix(".rows"))


def _imported(day: datetime, order: str, clock: str = "") -> datetime | str:
    """The cell that a spreadsheet makes of a date which it reads in the other order."""
    return datetime(day.year, day.day, day.month) if day.day <= 12 else day.strftime(order + clock)


@pytest.mark.parametrize("order", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d-%m-%Y"])
@pytest.mark.parametrize("clock", ["", " 13:30"])
def test_swapped_dates_are_told(tmp_path: Path, order: str, clock: str) -> None:
    intake = _taken(tmp_path / "a.xlsx", (_imported(day, order, clock) for day in DAYS))
    (warned,) = told(intake, "swapped_dates")
    small = [at for at, day in enumerate(DAYS) if day.day <= 12]
    assert warned.column == "when" and warned.rows == [at + 1 for at in small[:10]]
    assert f"{len(small)} cells are dates" in warned.message and f"{120 - len(small)} are texts" in warned.message
    assert f"such as '{DAYS[4].strftime(order + clock)}'" in warned.message
    assert "2020-04-01 may be 2020-01-04" in warned.message


def test_rows_count_from_the_first_below_the_header(tmp_path: Path) -> None:
    cells = [_imported(day, "%d/%m/%Y") for day in DAYS]
    (warned,) = told(_taken(tmp_path / "a.xlsx", cells, ["Station 7"], []), "swapped_dates")
    assert warned.rows[:3] == [1, 2, 3]


REAL: dict[str, list[Any]] = {
    "all are dates": DAYS,
    "all are texts": [day.strftime("%d/%m/%Y") for day in DAYS],
    "dates of the first days of months": [datetime(2020, month, 1) for month in range(1, 13)],
    "a text that would be a date": [*(_imported(day, "%d/%m/%Y") for day in DAYS), "03/04/2020"],
    "a date of another day": [*(_imported(day, "%d/%m/%Y") for day in DAYS), date(2020, 4, 25)],
    "too few texts": [*(day for day in DAYS if day.day <= 12), "25/12/2020", "26/12/2020"],
    "both orders": [*(day for day in DAYS if day.day <= 12), *["25/12/2020", "12/26/2020"] * 3],
    "years first": [day if day.day <= 12 else day.strftime("%Y/%m/%d") for day in DAYS],
}


@pytest.mark.parametrize("case", REAL)
def test_no_false_alarm(tmp_path: Path, case: str) -> None:
    assert not told(_taken(tmp_path / "a.xlsx", REAL[case]), "swapped_dates")
