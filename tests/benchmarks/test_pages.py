"""README's figures are those of benchmarks/results, and these say themselves whether they reached their bars."""

import json
import statistics
from pathlib import Path

import pytest

from benchmarks import pages
from benchmarks.result import FOLDER


@pytest.mark.parametrize("name", pages.BLOCKS)
def test_the_tables_in_readme_are_what_was_measured(name: str) -> None:
    assert pages.block(name) == pages.BLOCKS[name].write()


@pytest.mark.parametrize("path", sorted((FOLDER / "published").glob("*.json")), ids=lambda path: path.stem)
def test_means_and_verdicts_follow_from_the_values(path: Path) -> None:
    for row in json.loads(path.read_text())["rows"]:
        assert row["mean"] == pytest.approx(statistics.fmean(row["values"]), abs=2e-6)  # both are rounded
        better = row["mean"] >= row["bar"] if row["better"] == "more" else row["mean"] <= row["bar"]
        assert row["reached"] == better
