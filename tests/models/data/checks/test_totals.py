"""A last row that sums up the others."""

from pathlib import Path

import pytest

from models.data.checks import concerns
from tests.models.data.checks.tables import beside, taken, told

PLACES = ["north", "south", "east"] * 10


@pytest.mark.parametrize("said", ["Total", "Grand Total", "合计", "Summe:", "average"])
def test_a_total_is_said(tmp_path: Path, said: str) -> None:
    (warned,) = told(taken(tmp_path, beside(place=[*PLACES, said])), "total_row")
    assert (warned.column, warned.rows) == ("place", [31]) and said in warned.message
    # A job has the row, whether it learns from this column or not.
    assert concerns(warned, {"a"}, "label", None, "label")


@pytest.mark.parametrize(
    "cells", [[*PLACES, "Total", "north"], [*PLACES, "total", "total"], [*PLACES, "totally"], PLACES]
)
def test_no_false_alarm(tmp_path: Path, cells: list[str]) -> None:
    assert not told(taken(tmp_path, beside(place=cells)), "total_row")
