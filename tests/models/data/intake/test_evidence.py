"""Evidence about columns: numbers that turn into words later, and what is described in the first pass."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from athanor.contract import Column
from models.data.formats import FORMATS
from models.data.formats.limits import Limits
from models.data.intake.canonical import Intake, ingest
from models.data.table import Source
from models.errors import DataError


def _ingested(path: Path, *batches: Mapping[str, Sequence[str | None]]) -> Intake:
    made = [pa.record_batch({name: pa.array(cells, pa.string()) for name, cells in batch.items()}) for batch in batches]
    return ingest(Source(iter(made), untyped=True), path)


def _column(intake: Intake, name: str) -> Column:
    return next(column for column in intake.schema.columns if column.name == name)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.data.intake.canonical.BATCH_ROWS", 4)


def test_numbers_that_turn_into_words_are_looked_at_from_the_start(tmp_path: Path) -> None:
    numbers, words = ["1", "2", "2", "1"], ["a", "1", None, "a"]
    y: list[str | None] = ["y"] * 4
    late = _ingested(tmp_path / "late", {"x": [*numbers], "y": y}, {"x": [*words], "y": y})
    early = _ingested(tmp_path / "early", {"x": [*words], "y": y}, {"x": [*numbers], "y": y})
    at_once = _ingested(tmp_path / "once", {"x": [*numbers, *words], "y": y + y})
    column = _column(late, "x")
    assert (column.kind, column.classes, column.counts) == ("category", ["1", "2", "a"], [3, 2, 2])
    assert column == _column(early, "x") == _column(at_once, "x")
    # Equal rows are found on both sides of the change.
    (warned,) = (each for each in late.warnings if each.code == "duplicate_rows")
    assert warned.rows[:1] == [3]


def test_whole_numbers_are_counted_as_such_in_the_first_pass(tmp_path: Path) -> None:
    intake = _ingested(
        tmp_path / "rows", {"x": ["3", "1", None, "+3"], "y": ["1.5", "2", " NA", "1e1"]}, {"x": ["2"], "y": ["3"]}
    )
    x, y = _column(intake, "x"), _column(intake, "y")
    assert (x.kind, x.integer, x.classes, x.counts, x.missing) == ("number", True, ["1", "2", "3"], [1, 1, 2], 1)
    assert (x.min, x.max, x.mean, x.distinct) == (1.0, 3.0, 2.25, 3)
    assert (y.kind, y.integer, y.classes, y.missing, y.mean) == ("number", False, None, 1, 4.125)


@pytest.mark.parametrize("odd", ["007", "12345678901234567890", "1e999"])
def test_numerals_that_are_none_are_read_as_before(odd: str, tmp_path: Path) -> None:
    """In any batch: after numbers, and before them."""
    for place, batches in enumerate(([["1", "2"], [odd]], [[odd], ["1", "2"]])):
        made = [{"x": [*cells]} for cells in batches]
        if odd == "1e999":
            with pytest.raises(DataError, match="not a finite number"):
                _ingested(tmp_path / str(place), *made)
        else:
            kind = _column(_ingested(tmp_path / str(place), *made), "x").kind
            assert kind == ("text" if odd == "007" else "number")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["yes", "Yes", "yes ", "no"] * 3, "'x': 3 spellings are read as 1 value: 'Yes', 'yes', 'yes '"),
        (
            ["red", "red ", "blue", " blue"] * 3,
            "'x': 4 spellings are read as 2 values: ' blue', 'blue' and 'red', 'red '",
        ),
        (["yes", "no", "NA", ""] * 3, None),
        (["red", "Red", "blue"] * 4, None),
    ],
)
def test_spellings_that_are_read_as_one_value_are_said(cells: list[str], message: str | None, tmp_path: Path) -> None:
    intake = _ingested(tmp_path / "rows", {"x": [cell or None for cell in cells], "y": ["1"] * 12})
    told = [each.message for each in intake.warnings if each.code == "merged_spellings"]
    assert told == ([] if message is None else [f"column {message}"])


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            [*"1234567", *["pending"] * 3],
            "7 of 10 values are numbers, and all others are one word; row 8 says 'pending'",
        ),
        ([*"1234567", "pending", "late", "late"], None),
        ([*"1231231", *["more"] * 3], None),
        ([*"1234567", *["5more"] * 3], None),
        ([*"123456", *["pending"] * 7], None),
    ],
)
def test_one_word_among_numbers_is_said(cells: list[str], message: str | None, tmp_path: Path) -> None:
    intake = _ingested(tmp_path / "rows", {"x": cells, "y": ["1"] * len(cells)})
    told = [each for each in intake.warnings if each.code == "mostly_numbers"]
    assert [each.message for each in told] == ([] if message is None else [f"column 'x': {message}"])
    if told:
        assert told[0].suggestion == (
            "if 'pending' means that a value is missing, set "
            '{"dataset": {"features": {"x": {"kind": "number", "missing": ["pending"]}}}} in the spec, or upload with '
            """--feature '{"x": {"kind": "number", "missing": ["pending"]}}'"""
        )


def test_a_long_word_among_numbers_is_not_repeated(tmp_path: Path) -> None:
    lines = ["x", *map(str, range(100)), *["w" * 100_000] * 30]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    intake = ingest(FORMATS["csv"](tmp_path / "t.csv", Limits()), tmp_path / "rows")
    assert max(len(each.message) + len(each.suggestion or "") for each in intake.warnings) < 500


def test_unknown_is_a_class_beside_other_words(tmp_path: Path) -> None:
    cells = {"x": ["red", "unknown", "red", "blue"], "y": ["yes", "no", "unknown", "yes"]}
    x, y = _ingested(tmp_path / "rows", cells).schema.columns
    assert (x.kind, x.classes) == ("category", ["blue", "red", "unknown"])
    assert (y.kind, y.classes) == ("category", ["no", "unknown", "yes"])


VERSIONS = ["1.1", "1.10", "1.2", "1.3", "1.9", "1.11", "2.0", "2.1"]


@pytest.mark.parametrize(
    ("name", "cells", "kind", "guess"),
    [
        ("version", VERSIONS * 3, "category", False),
        ("x", VERSIONS * 3, "number", True),
        ("x", ["NA", *VERSIONS, ""] * 3, "number", True),
        ("version", [str(n) for n in range(9)] * 3, "number", False),
        ("price", ["1.50", "2.25", "1.10", "3.00"] * 3, "number", False),
        ("price", ["1.5", "1.50", "2.25", "3.75"] * 3, "number", False),
        ("x", ["1.1", "1.10", "1.05", "2.2"] * 3, "number", False),
        ("x", ["-1.1", "1.10", "1.1"] * 3, "number", False),
        ("x", ["1.5", "2.5", "2"] * 3, "number", False),
    ],
)
def test_versions_are_not_merged_in_silence(
    name: str, cells: list[str | None], kind: str, guess: bool, tmp_path: Path
) -> None:
    column = _column(_ingested(tmp_path / "rows", {name: cells, "y": ["z"] * len(cells)}), name)
    assert (column.kind, column.guess is not None) == (kind, guess)
    if kind == "category":
        assert set(column.classes or []) == set(VERSIONS)
    elif guess:
        assert (column.guess or "").startswith("'1.1' and '1.10' are read as the same number")
