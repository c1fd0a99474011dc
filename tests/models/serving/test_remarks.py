"""What is said about predictions beside them."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.metrics import accuracy_score, r2_score

from models.data.formats import FORMATS
from models.data.formats.limits import Limits
from models.data.intake import ingest
from models.data.table import Table
from models.errors import SpecError
from models.parts.oddity import Oddity
from models.planning.spec import JobSpec
from models.serving import row_file
from models.serving.prediction import Predictor
from models.serving.scorer import Scorer
from tests import small
from worker.training import loop, snapshot
from worker.training.build import build

COLORS = ["red", "green", "blue"]


def _predictor(folder: Path, target: pa.Array) -> tuple[Table, Predictor]:
    """Of rows with a number `height`, a color, a column `note` that the job does not read, and a target."""
    rows = len(target)
    columns = {
        "height": pa.array([float(row % 10) for row in range(rows)]),
        "color": pa.array([COLORS[row % 3] for row in range(rows)]),
        "note": pa.array([f"note {row} is about this and that" for row in range(rows)]),
        "target": target,
    }
    table = small.ingested(folder / "table", columns, target="target")
    chosen = {"id": "x", "inputs": ["height", "color"], "target": "target"}
    spec = JobSpec.model_validate({"architecture": {"kind": "mlp", "hidden": [4]}, "dataset": chosen})
    resolved, prepared = small.resolve_and_prepare(spec, table)
    learner = build(resolved.spec, prepared)
    list(islice(loop.fit(learner, (prepared.train.x, prepared.train.t), None), 6))
    snapshot.write(snapshot.take(learner), folder / "s", {}, prepared.preparation.model_dump_json())
    return table, Predictor.load(resolved, table.schema, folder / "s")


@pytest.fixture
def classifier(tmp_path: Path) -> Predictor:
    return _predictor(tmp_path, pa.array(["low" if row % 10 < 5 else "high" for row in range(40)]))[1]


def _codes(predictor: Predictor, rows: list[Any]) -> dict[str, tuple[str | None, list[int]]]:
    return {each.code: (each.column, each.rows) for each in predictor.examine(rows)[1].warnings}


def test_rows_like_the_training_rows_have_no_warnings(classifier: Predictor) -> None:
    assert classifier.examine([{"height": 3, "color": "red"}])[1].model_dump() == {"warnings": [], "scores": None}


def test_each_warning_names_its_rows(classifier: Predictor) -> None:
    good = {"height": 3, "color": "red"}
    rows = [good, good | {"color": "mauve"}, good | {"height": None}, good | {"height": 18.5}, good | {"height": 17.5}]
    assert _codes(classifier, rows) == {
        "unseen_category": ("color", [2]),
        "missing_values": ("height", [3]),
        "far_from_training": ("height", [4]),
    }
    (unseen,) = [each for each in classifier.examine(rows)[1].warnings if each.code == "unseen_category"]
    assert "1 of 5 rows, such as 'mauve', have a value" in unseen.message
    assert unseen.suggestion is not None and "blue, green, red" in unseen.suggestion


def test_only_the_first_ten_rows_are_named(classifier: Predictor) -> None:
    assert _codes(classifier, [{"height": 3, "color": "mauve"}] * 30)["unseen_category"][1] == list(range(1, 11))


def test_a_column_of_the_dataset_is_passed_over_and_a_misspelled_one_is_not(classifier: Predictor) -> None:
    row = {"height": 3, "color": "red"}
    assert classifier.answer([row | {"note": ["anything"]}]) == classifier.answer([row])
    with pytest.raises(SpecError) as refused:
        classifier.answer([row, {"hieght": 3, "color": "red"}])
    assert (refused.value.pointer, refused.value.suggestion) == ("/rows/1/hieght", "did you mean 'height'?")


def test_scores_are_those_of_the_metric(classifier: Predictor) -> None:
    said = ["low", "high", "low", "low"]
    rows = [{"height": at, "color": "red", "target": each} for at, each in enumerate(said)]
    predictions, findings = classifier.examine(rows)
    assert findings.scores is not None
    expected = accuracy_score(said, [each["label"] for each in predictions])
    assert findings.scores.metrics["accuracy"] == pytest.approx(expected)


def test_a_score_that_does_not_add_up_over_batches(tmp_path: Path) -> None:
    """R² of all rows, although they come in batches; and a target that is not finite is left out."""
    table, predictor = _predictor(tmp_path, pa.array([(row % 10) * 2.5 + 1 for row in range(40)]))
    rng = np.random.default_rng(0)
    truth, y_N1 = rng.standard_normal(30) * 5 + 8, torch.from_numpy(rng.standard_normal((30, 1)).astype(np.float32))
    truth[4] = np.nan
    scorer = Scorer(predictor.preparation.target)
    for start in (0, 7, 20):
        stop = {0: 7, 7: 20, 20: 30}[start]
        cells = pa.table({"target": pa.array(truth[start:stop], from_pandas=True)})
        scorer.see(Table(table.schema, cells), y_N1[start:stop])
    scores = scorer.scores()
    assert scores is not None and (scores.rows, scores.left_out) == (29, 1)
    values = np.array([each["value"] for each in predictor.preparation.target.decode(y_N1, [])])
    kept = np.isfinite(truth)
    assert scores.metrics["r2"] == pytest.approx(r2_score(truth[kept], values[kept]), abs=1e-4)
    assert scores.metrics["mae"] == pytest.approx(np.abs(truth[kept] - values[kept]).mean(), abs=1e-4)


def test_a_target_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    _, predictor = _predictor(tmp_path, pa.array([(row % 10) * 2.5 + 1 for row in range(40)]))
    rows = [{"height": 1, "color": "red", "target": each} for each in (3.0, "much", [1], None, "5")]
    scores = predictor.examine(rows)[1].scores
    assert scores is not None and (scores.rows, scores.left_out) == (2, 3)


def test_oddities_of_batches_add_up() -> None:
    first = Oddity.of_rows("x", "are odd", "mend them", [0, 3], 5, ["a", "b"])
    second = Oddity.of_rows("x", "are odd", "mend them", [1], 4, ["a"]).moved(5)
    warned = first.followed_by(second).warned("color")
    assert warned is not None
    assert warned.message == "column 'color': 3 of 9 rows, such as 'a', 'b', are odd"
    assert warned.rows == [1, 4, 7]
    assert Oddity.of_rows("x", "are odd", "mend them", [], 5).warned("color") is None


def test_what_is_rare_is_not_said() -> None:
    for count, is_said in ((1, False), (2, True)):
        odd = Oddity("unknown_words", "are new", "check", count, 10, (0,), "words", least=0.2)
        assert (odd.warned("text") is not None) == is_said


def _of_arrays(folder: Path, values: Any, architecture: str) -> Predictor:
    """Of rows of an npz with these values, pixels or arrays."""
    folder.mkdir(exist_ok=True)
    np.savez(folder / "t.npz", x=values, y=np.arange(len(values)) % 2)
    intake = ingest(FORMATS["npz"](folder / "t.npz", Limits()), folder / "rows.parquet")
    table = Table.open(folder / "rows.parquet", intake.schema)
    spec = JobSpec.model_validate({"architecture": {"kind": architecture}, "dataset": {"id": "x", "target": "y"}})
    resolved, prepared = small.resolve_and_prepare(spec, table)
    learner = build(resolved.spec, prepared)
    snapshot.write(snapshot.take(learner), folder / "s", {}, prepared.preparation.model_dump_json())
    return Predictor.load(resolved, table.schema, folder / "s")


@pytest.mark.parametrize("architecture", ["linear", "cnn"])
def test_arrays_and_pictures_of_another_scale(architecture: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shares = (rng.random((40, 3, 8, 8)) * 1.1).astype(np.float32)
    predictor = _of_arrays(tmp_path / "shares", shares, architecture)
    rows = [shares[0].tolist(), (shares[1] * 255).tolist(), (shares[2] / 255).tolist()]
    assert _codes(predictor, rows) == {"far_from_training": ("x", [2]), "small_numbers": ("x", [3])}
    with pytest.raises(SpecError, match="3 × 8 × 8 numbers; this has 8 × 8 × 3") as refused:
        predictor.answer([rows[0], shares[1].transpose(1, 2, 0).tolist()])
    assert refused.value.pointer == "/rows/1"
    pixels = rng.integers(0, 120, (40, 8, 8, 3)).astype(np.uint8)
    predictor = _of_arrays(tmp_path / "pixels", pixels, architecture)
    rows = [pixels[0].tolist(), (pixels[1] / 255).tolist(), np.full((8, 8, 3), 250).tolist()]
    assert _codes(predictor, rows) == {"far_from_training": ("x", [3]), "small_numbers": ("x", [2])}


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("shape", [(5,), (3, 2, 4)])
def test_rows_of_a_file_are_those_of_a_request(form: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((40, *shape)).astype(np.float32)
    predictor = _of_arrays(tmp_path, values, "linear")
    rows = [values[0].tolist(), (values[1] * 255).tolist()]
    lines, answers = tmp_path / "rows.jsonl", tmp_path / f"answers.{form}"
    lines.write_text("".join(json.dumps({"x": row}) + "\n" for row in rows))
    pq.write_table(pa.table({"x": rows}), tmp_path / "rows.parquet")
    count, remarks = row_file.predict(predictor, tmp_path / f"rows.{form}", form, {}, Limits(), answers)
    assert count == 2
    assert [(each.code, each.rows) for each in remarks.warnings] == [("far_from_training", [2])]
    told = pq.read_table(answers) if form == "parquet" else pj.read_json(answers)
    np.testing.assert_allclose(told["x"].to_pylist(), rows, rtol=1e-6)
    assert told["predicted_label"].to_pylist() == [each["label"] for each in predictor.answer(rows)]
    pq.write_table(pa.table({"x": [np.ravel(row) for row in rows]}), tmp_path / "flat.parquet")
    if len(shape) > 1:
        with pytest.raises(SpecError, match="row 1: 'x' must be a list of 3 × 2 × 4 numbers; this has 24"):
            row_file.predict(predictor, tmp_path / "flat.parquet", "parquet", {}, Limits(), answers)


def test_a_text_without_words_is_said(tmp_path: Path) -> None:
    texts = pa.array([f"the {word} {at} of all" for at in range(20) for word in ("ash", "iron")])
    table = small.ingested(tmp_path / "table", {"text": texts, "target": pa.array(["a", "b"] * 20)}, target="target")
    spec = JobSpec.model_validate({"architecture": {"kind": "textcnn"}, "dataset": {"id": "x", "input": "text"}})
    resolved, prepared = small.resolve_and_prepare(spec, table)
    learner = build(resolved.spec, prepared)
    snapshot.write(snapshot.take(learner), tmp_path / "s", {}, prepared.preparation.model_dump_json())
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    assert _codes(predictor, ["the ash", "", None, "  "]) == {
        "missing_values": ("text", [3]),
        "empty_texts": ("text", [2, 4]),
    }


def test_dates_and_booleans_say_what_a_missing_value_counts_as(tmp_path: Path) -> None:
    columns = {
        "day": pa.array([f"2024-03-{1 + row % 28:02d}" for row in range(56)]),
        "open": pa.array([row % 3 == 0 for row in range(56)]),
        "target": pa.array(["ash" if row % 2 else "iron" for row in range(56)]),
    }
    table = small.ingested(tmp_path / "table", columns, target="target")
    spec = JobSpec.model_validate({"architecture": {"kind": "linear"}, "dataset": {"id": "x", "target": "target"}})
    resolved, prepared = small.resolve_and_prepare(spec, table)
    learner = build(resolved.spec, prepared)
    snapshot.write(snapshot.take(learner), tmp_path / "s", {}, prepared.preparation.model_dump_json())
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    good = {"day": "2024-03-05", "open": True}
    rows = [good, good | {"day": None}, good | {"open": None}, good | {"day": "1924-03-05"}]
    found = {(each.column, each.code): each for each in predictor.examine(rows)[1].warnings}
    assert {key: each.rows for key, each in found.items()} == {
        ("day", "missing_values"): [2],
        ("day", "far_from_training"): [4],
        ("open", "missing_values"): [3],
    }
    assert "'1924-03-05'" in found["day", "far_from_training"].message
    assert "from 2024-0" in found["day", "far_from_training"].message
    assert "counts as 2024-03-" in found["day", "missing_values"].message
    assert "counts as false" in found["open", "missing_values"].message
