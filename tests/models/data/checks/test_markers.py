"""Numbers that stand for a missing value: told where they are, and not a word about prices, ages and scores."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.commands import hints
from models.data.checks import concerns
from models.data.formats import FORMATS
from models.data.formats.limits import Limits
from models.data.intake import Intake, ingest
from models.data.intake.hints import ReadHints
from models.data.table import Table
from models.parts.dataset import DATASETS
from models.parts.feature import read
from tests.models.data.checks.tables import beside, taken, told

RNG = np.random.default_rng(3)
WARM = [f"{value:.1f}" for value in RNG.uniform(5, 30, 200)]
AGES = RNG.integers(18, 100, 200).tolist()


def _with(values: list[Any], marker: Any, *, every: int = 20) -> list[Any]:
    return [marker if at % every == 3 else value for at, value in enumerate(values)]


MARKED: dict[str, tuple[list[Any], str]] = {
    "-999 in temperatures": (_with(WARM, "-999"), "10 of 200 rows have -999,"),
    "-999.0, as pandas writes it": (_with(WARM, "-999.0"), "10 of 200 rows have -999,"),
    "-99.9": (_with(WARM, "-99.9"), "10 of 200 rows have -99.9,"),
    "99.9": (_with(WARM, "99.9"), "10 of 200 rows have 99.9,"),
    "9999 in percentages": (_with(RNG.integers(0, 101, 200).tolist(), 9999), "10 of 200 rows have 9999,"),
    "999 in years of life": (_with(AGES, 999, every=100), "2 of 200 rows have 999,"),
    "99 in answers from 1 to 5": (_with(RNG.integers(1, 6, 200).tolist(), 99), "10 of 200 rows have 99,"),
    "-9 in genotypes": (_with(RNG.integers(0, 3, 200).tolist(), -9), "10 of 200 rows have -9,"),
    "-99 where nothing is negative": (_with(RNG.integers(0, 90_000, 200).tolist(), -99), "10 of 200 rows have -99,"),
    "two of them": (_with(_with(WARM, "-999"), "9999", every=30), "13 of 200 rows have -999 (6) or 9999 (7)"),
    "99 and 999 in answers from 1 to 5": (
        _with(_with(RNG.integers(1, 6, 200).tolist(), 99), 999, every=30),
        "have 99 (6) or 999 (7)",
    ),
    "999 in ages, of which some are 99": (_with([*AGES[:190], *[99] * 10], 999), "10 of 200 rows have 999,"),
    "-99 and -999 in temperatures": (_with(_with(WARM, "-99"), "-999", every=30), "have -999 (7) or -99 (6)"),
    "9999 in years": (_with(RNG.integers(1950, 2024, 200).tolist(), 9999), "10 of 200 rows have 9999,"),
}


@pytest.mark.parametrize("case", MARKED)
def test_a_marker_is_told_and_settled(tmp_path: Path, case: str) -> None:
    cells, counted = MARKED[case]
    intake = taken(tmp_path, beside(v=cells))
    (warned,) = told(intake, "missing_marker")
    assert warned.column == "v" and counted in warned.message
    assert warned.rows and cells[warned.rows[0] - 1] not in WARM
    settled = _again(tmp_path, str(warned.suggestion))
    before, after = (each.schema.columns[0] for each in (intake, settled))
    assert not told(settled, "missing_marker") and before.missing == 0 < after.missing
    assert (before.min, before.max) != (after.min, after.max)


def _again(folder: Path, suggestion: str) -> Intake:
    """What is found in the same file with the features that the suggestion has."""
    features = ReadHints.model_validate({"features": _given(suggestion)}).features
    return ingest(FORMATS["csv"](folder / "upload", Limits()), folder / "rows", features=features)


def _given(suggestion: str) -> Any:
    """The features that the suggestion has for a spec, and once more for the command line."""
    found, _ = json.JSONDecoder().raw_decode(suggestion.partition("set ")[2])
    option = shlex.split(suggestion.partition(" or upload with ")[2])
    given = found["dataset"]["features"]
    features = hints.read(None, None, None, None, (option[1],)).features
    assert option[0] == "--feature" and {name: part.model_dump() for name, part in features.items()} == given
    return given


def test_a_marker_in_a_column_with_a_unit_and_a_comma(tmp_path: Path) -> None:
    cells = _with([f"{float(value):.1f}".replace(".", ",") + " kg" for value in WARM], "-99,9 kg")
    (tmp_path / "upload").write_text("v;label\n" + "".join(f"{cell};{'ab'[at % 2]}\n" for at, cell in enumerate(cells)))
    intake = ingest(FORMATS["csv"](tmp_path / "upload", Limits()), tmp_path / "rows")
    (warned,) = told(intake, "missing_marker")
    settled = _again(tmp_path, str(warned.suggestion))
    assert settled.schema.columns[0].missing == 10 and settled.schema.columns[0].settings["unit"] == "kg"


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64(), pa.int32()])
def test_a_marker_of_a_typed_file(tmp_path: Path, kind: pa.DataType) -> None:
    marker = -999 if pa.types.is_integer(kind) else -99.9
    numbers = pa.array(_with([int(float(value)) for value in WARM], marker)).cast(kind)
    pq.write_table(pa.table({"v": numbers, "label": ["a", "b"] * 100}), tmp_path / "t.parquet")
    intake = ingest(FORMATS["parquet"](tmp_path / "t.parquet", Limits()), tmp_path / "rows")
    (warned,) = told(intake, "missing_marker")
    given = _given(str(warned.suggestion))
    features = ReadHints.model_validate({"features": given}).features
    assert given["v"]["missing"] == [str(marker)]
    again = ingest(FORMATS["parquet"](tmp_path / "t.parquet", Limits()), tmp_path / "rows", features=features)
    assert again.schema.columns[0].missing == 10
    cells = read(Table.open(tmp_path / "rows", again.schema), again.schema.columns[:1]).data["v"]
    assert cells.null_count == 10


REAL: dict[str, list[Any]] = {
    "years": RNG.integers(1900, 2025, 200).tolist(),
    "years of two digits": RNG.integers(0, 100, 200).tolist(),
    "ages": [*AGES, 99, 99],
    "scores": [*RNG.integers(40, 101, 200).tolist(), 99, 99, 99],
    "prices": [f"{euros}.99" for euros in RNG.integers(1, 20, 100)] + ["99.99"] * 5,
    "prices of whole euros": [int(tens) * 10 + 9 for tens in RNG.integers(1, 30, 100)] + [999] * 5,
    "prices up to 999.99": [
        price for price in ("4.99", "9.99", "19.99", "49.99", "99.99", "999", "999.99") for _ in range(29)
    ],
    "prices and 999": [price for price in ("4.99", "9.99", "19.99", "49.99", "999") for _ in range(40)],
    "steps of a price list": [price for price in (5, 10, 20, 49, 99, 999) for _ in range(34)],
    "steps up to 99": [price for price in (5, 10, 20, 49, 99) for _ in range(40)],
    "steps that do not end in 9": [price for price in (5, 10, 20, 50, 99, 999) for _ in range(34)],
    "once": _with(WARM, "-999", every=200),
    "inside of the others": RNG.integers(-5000, 5000, 200).tolist() + [-999] * 3,
    "noise of one degree": RNG.integers(-20, 20, 200).tolist() + [-9] * 5,
    "one other value": [0] * 100 + [99] * 20,
    "few others": [1, 2, 3, 99, 99],
    "percent of nines": _with(RNG.uniform(80, 100, 200).round(1).tolist(), 99.9),
}


@pytest.mark.parametrize("case", REAL)
def test_real_numbers_are_no_markers(tmp_path: Path, case: str) -> None:
    assert not told(taken(tmp_path, beside(v=REAL[case])), "missing_marker")


@pytest.mark.parametrize("kind", [part.model_fields["kind"].default for part in DATASETS])
def test_no_built_in_dataset_has_markers(kind: str, tmp_path: Path) -> None:
    intake = ingest(DATASETS[kind].model_validate({}).source(), tmp_path / "rows.parquet")
    assert not told(intake, "missing_marker")


def test_a_job_that_reads_the_column_in_its_own_way_is_not_warned(tmp_path: Path) -> None:
    (warned,) = told(taken(tmp_path, beside(v=_with(WARM, "-999"))), "missing_marker")
    assert concerns(warned, {"v"}, "label", None, "label") and not concerns(warned, {"a"}, "label", None, "label")
    assert not concerns(warned, {"v"}, "label", None, "label", reread={"v"})
