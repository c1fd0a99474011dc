"""What a child that reads an upload says, and what is believed of it."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from athanor.contract import Column
from athanor.processes.bounded import Ended
from models.data.formats.limits import Limits
from models.data.intake import ingest, process, run
from models.data.table import Source
from models.errors import DataError
from models.parts.features.text import FIRST, expect_words
from models.parts.tokenizers.words import Words


@pytest.mark.parametrize("wrong", [{"format": "nonsense"}, {"format": "tsv"}, {"rows": 0}, {"rows": -7}, {}])
def test_what_a_child_says_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    """A file may have taken over the process that read it. Without anything wrong, there are no rows here."""
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    said = {"schema": {"columns": []}, "rows": 1, "warnings": [], "format": "csv"} | wrong
    ended = Ended(0, json.dumps({"intake": said}).encode(), b"")
    monkeypatch.setattr(process, "run_bounded", lambda *_given, **_named: ended)
    with pytest.raises(DataError, match="could not be read"):
        run(tmp_path / "x.csv", "x.csv", tmp_path / "rows")


def test_many_wrong_items_are_one_error() -> None:
    """Of a list in an answer: errors take a hundred times the memory of what is wrong."""
    for field in ("classes", "counts", "shape"):
        with pytest.raises(ValidationError) as wrong:
            Column.model_validate({"name": "x", "kind": "number", field: [None] * 1_000})
        assert wrong.value.error_count() == 1


def test_words_of_an_id_are_not_kept(tmp_path: Path) -> None:
    """Too many to name, and no reason to refuse the column."""
    ids = [f"user {number:08}" for number in range(3_000)]
    batch = pa.record_batch({"id": ids, "n": [1, 2, 3] * 1_000})
    intake = ingest(Source(iter([batch])), tmp_path / "rows", Limits(max_words=500))
    found = next(column for column in intake.schema.columns if column.name == "id")
    assert (found.vocabulary, found.words) == (None, 6_000)
    # A plan then counts each word as another, not none.
    assert expect_words(found).vocabulary == 6_000 + FIRST
    assert Words().counted(found) == (6_000, 6_000)
