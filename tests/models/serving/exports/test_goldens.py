"""Golden rows: raw rows that lead back to what the trainer saw."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from models.parts.architecture import InputKind
from models.planning.spec import JobSpec
from models.serving.cells import Reader
from models.serving.exports import goldens
from models.serving.prediction import Predictor
from tests import small

KINDS: dict[InputKind, dict[str, Any]] = {
    "vector": {"kind": "linear"},
    "image": {"kind": "linear"},
    "text": {"kind": "textcnn", "channels": 2, "embedding": 3, "widths": [2]},
}


def _predictor(kind: InputKind, path: Path, architecture: dict[str, Any], **choice: Any) -> Predictor:
    table = small.table(kind, path)
    chosen = {"architecture": architecture, "dataset": {"id": "x", **choice}}
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(chosen), table)
    preparation = prepared.preparation
    torch.manual_seed(0)
    module = resolved.spec.architecture.build_for(preparation.named_inputs(), preparation.target.outputs)
    return Predictor(module.eval(), preparation, Reader(resolved.roles_in(table.schema).inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_they_lead_to_what_the_trainer_saw(kind: InputKind, tmp_path: Path) -> None:
    path = tmp_path / "table"
    predictor = _predictor(kind, path, KINDS[kind])
    rows = goldens.choose(path, predictor.columns)
    assert len(rows) == goldens.MOST_ROWS
    made = goldens.make(predictor, rows)
    seen = small.single(predictor.preparation.encoder.encode(small.table(kind, tmp_path / "again")))
    # Every fifth of forty rows.
    torch.testing.assert_close(small.single(made.x), seen[::5], rtol=0, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(made.y, predictor.module(seen[::5]))
    assert made.predictions == predictor.answer(rows)


def test_they_come_from_every_row_group(tmp_path: Path) -> None:
    path = tmp_path / "table"
    predictor = _predictor("vector", path, KINDS["vector"])
    expected = goldens.choose(path, predictor.columns)
    pq.write_table(pq.read_table(path), tmp_path / "cut", row_group_size=7)
    assert goldens.choose(tmp_path / "cut", predictor.columns) == expected


def test_a_language_says_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table"
    architecture = {"kind": "transformer_lm", "layers": 1, "heads": 2, "width": 8}
    predictor = _predictor("text", path, architecture, context=8)
    made = goldens.make(predictor, goldens.choose(path, predictor.columns))
    assert small.single(made.x).shape == (8, 8) and made.predictions is None
    outputs = predictor.preparation.target.outputs
    monkeypatch.setattr(goldens, "MOST_NUMBERS", outputs * 12)
    fewer = goldens.make(predictor, goldens.choose(path, predictor.columns))
    assert small.single(fewer.x).shape == (1, 8) and len(fewer.rows) == 1
    monkeypatch.setattr(goldens, "MOST_NUMBERS", outputs * 3)
    assert goldens.make(predictor, made.rows).y.shape == (1, 3, outputs)


def test_what_is_no_number_is_missing(tmp_path: Path) -> None:
    table = small.ingested(tmp_path / "t", {"a": [1.0, None, float("nan"), 4.0], "target": ["x", "y", "x", "y"]})
    columns = [column for column in table.schema.columns if column.name == "a"]
    assert goldens.choose(tmp_path / "t", columns) == [{"a": 1.0}, {"a": None}, {"a": None}, {"a": 4.0}]
