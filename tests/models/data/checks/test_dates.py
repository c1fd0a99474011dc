"""A column that would be dates but for a few cells."""

from pathlib import Path

import pytest

from models.data.checks import concerns
from tests.models.data.checks.tables import beside, taken, told

DAYS = [f"2023-{1 + at // 28:02}-{1 + at % 28:02}" for at in range(59)]


@pytest.mark.parametrize("odd", ["2023-02-31", "soon", "45000"])
def test_a_few_cells_that_are_no_dates_are_said(tmp_path: Path, odd: str) -> None:
    intake = taken(tmp_path, beside(day=[*DAYS, odd]))
    (warned,) = told(intake, "mostly_dates")
    assert intake.schema.columns[0].kind != "date"
    assert (warned.column, warned.rows) == ("day", [60])
    # The column is left out for what the warning says.
    assert concerns(warned, {"a"}, "label", None, "label")
    assert "(ymd)" in warned.message and "1 of 60" in warned.message and repr(odd) in warned.message


def test_no_false_alarm(tmp_path: Path) -> None:
    missing = [*DAYS[:50], *["NA"] * 5, *[""] * 4]
    words = [f"2023-01-{at % 28 + 1:02}" if at % 2 else f"order {at}" for at in range(59)]
    for cells in (DAYS, missing, words, [f"v{at}" for at in range(59)]):
        assert not told(taken(tmp_path, beside(day=cells)), "mostly_dates")
