"""The process that predicts a file: what it is asked, when it ends, and files of every task."""

import json
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from models.data.formats.limits import Limits
from models.data.table import Table
from models.errors import DataError, SpecError
from models.planning.resolve import ResolvedSpec
from models.planning.spec import JobSpec
from models.serving import file_process, row_file
from models.serving.file_process import Abandoned, FileOrder, Unanswered
from models.serving.prediction import Predictor
from models.serving.predictor_process import Died
from tests import small
from worker.training import loop, snapshot
from worker.training.build import build

CSV = b"height,color\n1,red\n2,blue\n"
GIB = 2**30


def _trained(
    folder: Path, columns: dict[str, pa.Array], spec: dict[str, Any], target: str | None
) -> tuple[ResolvedSpec, Table]:
    """A checkpoint in `folder`."""
    table = small.ingested(folder / "table", columns, target=target)
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(spec), table)
    learner = build(resolved.spec, prepared)
    data = (prepared.train.x, prepared.train.t)
    if prepared.preparation.target.part.self_supervised:
        list(islice(loop.fit(learner, lambda epoch: prepared.train.epoch(0, epoch), None), 3))
    else:
        list(islice(loop.fit(learner, data, None), 3))
    snapshot.write(snapshot.take(learner), folder / "s", {}, prepared.preparation.model_dump_json())
    return resolved, table


def _table(folder: Path) -> tuple[ResolvedSpec, Table]:
    columns = {
        "height": pa.array([float(row % 10) for row in range(40)]),
        "color": pa.array(["red", "blue"] * 20),
        "target": pa.array(["low" if row % 10 < 5 else "high" for row in range(40)]),
    }
    spec = {"architecture": {"kind": "mlp", "hidden": [4]}, "dataset": {"id": "x", "target": "target"}}
    return _trained(folder, columns, spec, "target")


def _order(resolved: ResolvedSpec, table: Table, dialect: dict[str, Any] | None = None) -> FileOrder:
    return FileOrder(
        checkpoint_id="ckpt_1", resolved=resolved, dataset_schema=table.schema, format="csv", dialect=dialect or {}
    )


@pytest.fixture
def order(tmp_path: Path) -> FileOrder:
    return _order(*_table(tmp_path))


def test_the_answers_are_in_the_folder(order: FileOrder, tmp_path: Path) -> None:
    (tmp_path / "s" / file_process.ROWS).write_bytes(CSV)
    answered = file_process.run(order, tmp_path / "s", 4 * GIB, 60, threading.Event())
    head, *rows = answered.path.read_text().splitlines()
    assert head == "height,color,predicted_label,probability_high,probability_low"
    assert [row.split(",")[:2] for row in rows] == [["1", "red"], ["2", "blue"]]
    assert (answered.predicted.rows, answered.predicted.checkpoint_id) == (2, "ckpt_1")


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "cp1252"])
def test_a_file_that_is_not_utf8_is_read(order: FileOrder, tmp_path: Path, encoding: str) -> None:
    """Its text is written again, in the only folder of the process."""
    text = CSV.decode().replace("\n", "\r") + "3,grün\r4,bleu\r"
    (tmp_path / "s" / file_process.ROWS).write_bytes(text.encode(encoding))
    order = order.model_copy(update={"dialect": {"encoding": encoding} if encoding == "gb18030" else {}})
    answered = file_process.run(order, tmp_path / "s", 4 * GIB, 60, threading.Event())
    assert [line.split(",")[:2] for line in answered.path.read_text().splitlines()[1:]] == [
        ["1", "red"],
        ["2", "blue"],
        ["3", "grün"],
        ["4", "bleu"],
    ]


def test_a_fault_is_one_of_the_file(order: FileOrder, tmp_path: Path) -> None:
    (tmp_path / "s" / file_process.ROWS).write_bytes(CSV + b"tall,red\n")
    with pytest.raises(Unanswered, match="row 3: 'height' must be a finite number") as refused:
        file_process.run(order, tmp_path / "s", 4 * GIB, 60, threading.Event())
    assert (refused.value.fault.pointer, refused.value.fault.code) == ("/rows/2/height", "wrong_value")


def test_a_caller_who_leaves_frees_the_process(order: FileOrder, tmp_path: Path) -> None:
    (tmp_path / "s" / file_process.ROWS).write_bytes(CSV + b"1,red\n" * 2_000_000)
    abandoned = threading.Event()
    threading.Timer(2.0, abandoned.set).start()
    begun = time.monotonic()
    with pytest.raises(Abandoned):
        file_process.run(order, tmp_path / "s", 4 * GIB, 60, abandoned)
    assert time.monotonic() - begun < 20


def test_its_memory_and_its_time_have_bounds(order: FileOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s" / file_process.ROWS).write_bytes(CSV + b"1,red\n" * 400_000)
    with pytest.raises(Died, match="s and 536,870,912 bytes"):
        file_process.run(order, tmp_path / "s", 2**29, 60, threading.Event())
    monkeypatch.setattr(file_process, "LONGEST", 1)
    with pytest.raises(Died, match="may take 1 s and"):
        file_process.run(order, tmp_path / "s", 4 * GIB, 60, threading.Event())


def test_its_answers_have_a_bound(order: FileOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s" / file_process.ROWS).write_bytes(CSV + b"1,red\n" * 5_000)
    monkeypatch.setattr(file_process, "MOST_ANSWERS", 10_000)
    with pytest.raises(Unanswered, match="the answers are too large"):
        file_process.run(order, tmp_path / "s", 4 * GIB, 60, threading.Event())


def _answers(predictor: Predictor, folder: Path, content: str, format: str, **dialect: Any) -> str:
    (folder / "rows").write_text(content)
    row_file.predict(predictor, folder / "rows", format, dialect, Limits(), folder / "answers")
    return (folder / "answers").read_text()


def test_it_is_read_as_the_dataset_was_or_else_by_itself(tmp_path: Path) -> None:
    resolved, table = _table(tmp_path)
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    rows, other = "height,color\n1,red\n", {"delimiter": ";", "encoding": "windows-1252"}
    assert _answers(predictor, tmp_path, rows, "csv", **other) == _answers(predictor, tmp_path, rows, "csv")
    with pytest.raises(SpecError, match="no column 'hieght'"):
        _answers(predictor, tmp_path, "hieght,color\n1,red\n", "csv", delimiter=",")


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_file_with_few_letters_has_the_encoding_of_the_dataset(tmp_path: Path, format: str) -> None:
    resolved, table = _table(tmp_path)
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    rows = "height,color\n1,ж\n" if format == "csv" else '{"height": 1, "color": "ж"}\n'
    (tmp_path / "rows").write_bytes(rows.encode("cp1251"))
    with pytest.raises(DataError, match="Give its encoding"):
        row_file.predict(predictor, tmp_path / "rows", format, {}, Limits(), tmp_path / "answers")
    dialect = {"encoding": "windows-1251"}
    row_file.predict(predictor, tmp_path / "rows", format, dialect, Limits(), tmp_path / "answers")
    assert "ж" in (tmp_path / "answers").read_text()


def test_a_column_that_the_file_does_not_have_is_filled_in(tmp_path: Path) -> None:
    resolved, table = _table(tmp_path)
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    (tmp_path / "rows").write_text("color\nred\nblue\n")
    rows, findings = row_file.predict(predictor, tmp_path / "rows", "csv", {}, Limits(), tmp_path / "answers")
    (warned,) = findings.warnings
    assert (rows, warned.code, warned.column, warned.rows) == (2, "missing_column", "height", [1, 2])


def test_a_column_of_the_dataset_with_the_name_of_an_answer(tmp_path: Path) -> None:
    columns = {
        "height": pa.array([float(row % 10) for row in range(40)]),
        "predicted_label": pa.array(["so", "or so"] * 20),
        "target": pa.array(["low" if row % 10 < 5 else "high" for row in range(40)]),
    }
    chosen = {"id": "x", "inputs": ["height"], "target": "target"}
    resolved, table = _trained(tmp_path, columns, {"architecture": {"kind": "linear"}, "dataset": chosen}, "target")
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    head, _ = _answers(predictor, tmp_path, "height,predicted_label\n1,so\n", "csv").splitlines()
    assert head == "height,predicted_label,predicted_label_2,probability_high,probability_low"


def test_tags(tmp_path: Path) -> None:
    words = [["ash", "to", "ash"], ["iron", "and", "coal"]] * 10
    columns = {"words": pa.array(words), "tags": pa.array([[f"T-{word}" for word in row] for row in words])}
    spec = {"architecture": {"kind": "rnn", "hidden": 4, "embedding": 4}, "dataset": {"id": "x"}}
    resolved, table = _trained(tmp_path, columns, spec, "tags")
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    rows = [{"words": ["ash"], "tags": ["T-ash"]}, {"words": ["iron", "and", "ash"], "tags": ["T-none"] * 3}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    found = [json.loads(line) for line in _answers(predictor, tmp_path, text, "jsonl").splitlines()]
    assert [row["predicted_tags"] for row in found] == [each["tags"] for each in predictor.answer(rows)]
    _, findings = row_file.predict(predictor, tmp_path / "rows", "jsonl", {}, Limits(), tmp_path / "answers")
    assert findings.scores is not None and (findings.scores.rows, findings.scores.left_out) == (1, 1)
    assert _answers(predictor, tmp_path, text.replace('["iron", "and", "ash"]', "[]"), "jsonl").count("\n") == 2


def test_a_language_model_continues_each_row(tmp_path: Path) -> None:
    architecture = {"kind": "transformer_lm", "layers": 1, "heads": 2, "width": 8}
    columns = {"text": pa.array([f"line {row} of the book" for row in range(20)])}
    spec = {"architecture": architecture, "dataset": {"id": "x", "context": 8}}
    resolved, table = _trained(tmp_path, columns, spec, None)
    predictor = Predictor.load(resolved, table.schema, tmp_path / "s")
    prompts = [f"line {row}" for row in range(45)]
    answers = _answers(predictor, tmp_path, "".join(json.dumps({"text": each}) + "\n" for each in prompts), "jsonl")
    found = [json.loads(line) for line in answers.splitlines()]
    assert [row["text"] for row in found] == prompts, "more than one request in JSON may have"
    assert found[3]["predicted_text"] == predictor.answer([prompts[3]])[0]["text"]
