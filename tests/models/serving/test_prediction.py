"""Answers from a checkpoint."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError

from athanor.contract import Column, Generation
from models.data.preparation.encoders import TensorEncoder
from models.data.table import Table
from models.errors import SpecError
from models.parts.architecture import InputKind
from models.parts.feature import CellError, arrays, of
from models.parts.features.text import MAX_WORDS, WordsEncoder
from models.parts.inputs import only
from models.parts.targets.value import FittedValue
from models.parts.tokenizers.words import Words
from models.planning.spec import JobSpec
from models.serving.cells import Reader
from models.serving.prediction import Predictor
from tests import small
from worker.training import loop, snapshot
from worker.training.build import build
from worker.training.stages.evaluation import outputs

SPECS: dict[InputKind, dict[str, Any]] = {
    "vector": {"kind": "mlp", "hidden": [4]},
    "image": {"kind": "cnn", "channels": [4], "hidden": [4]},
    "text": {"kind": "textcnn", "embedding": 4, "channels": 4, "widths": [2]},
}


def _trained(kind: InputKind, folder: Path, task: str = "classification") -> tuple[Table, Predictor, torch.Tensor]:
    """A table, a predictor loaded from disk, and what the loop itself answers for every row."""
    table = small.table(kind, folder / "table", task=task)
    spec = JobSpec.model_validate({"architecture": SPECS[kind], "dataset": {"id": "x"}})
    resolved, prepared = small.resolve_and_prepare(spec, table)
    learner = build(resolved.spec, prepared)
    list(islice(loop.fit(learner, (prepared.train.x, prepared.train.t), None), 6))
    snapshot.write(snapshot.take(learner), folder / "s", {}, prepared.preparation.model_dump_json())
    predictor = Predictor.load(resolved, table.schema, folder / "s")
    x_N = prepared.preparation.encoder.encode(table)
    return table, predictor, outputs(learner.model, learner.config.forward, x_N, len(x_N))


def _rows(table: Table, columns: list[str]) -> list[dict[str, Any]]:
    if columns == ["image"]:
        return [{"image": image.tolist()} for image in arrays(table, "image")]
    rows: list[dict[str, Any]] = table.data.select(columns).to_pylist()
    return rows


@pytest.mark.parametrize("kind", SPECS)
def test_it_answers_as_the_loop_would(kind: InputKind, tmp_path: Path) -> None:
    table, predictor, y_NK = _trained(kind, tmp_path)
    answers = predictor.answer(_rows(table, [column.name for column in predictor.columns]))
    expected = predictor.preparation.target.decode(y_NK, [])
    assert [answer["label"] for answer in answers] == [answer["label"] for answer in expected]
    for found, wanted in zip(answers, expected, strict=True):
        assert found["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-5)


def test_values_come_in_the_targets_own_unit(tmp_path: Path) -> None:
    table, predictor, y_N1 = _trained("vector", tmp_path, "regression")
    answers = predictor.answer(_rows(table, ["height", "width", "color"]))
    target = predictor.preparation.target
    assert isinstance(target, FittedValue)
    expected = (y_N1.squeeze(1).double() * target.std + target.mean).tolist()
    assert [answer["value"] for answer in answers] == pytest.approx(expected, abs=1e-5)


def test_a_row_may_leave_things_out(tmp_path: Path) -> None:
    _, predictor, _ = _trained("vector", tmp_path)
    rows = [{"height": 1}, {"height": 1, "width": None, "color": "mauve"}, {}]
    one, other, _ = predictor.answer(rows)
    assert one == other


def test_the_value_itself_where_there_is_one_column(tmp_path: Path) -> None:
    _, predictor, _ = _trained("text", tmp_path)
    assert predictor.answer(["iron and coal"]) == predictor.answer([{"text": "iron and coal"}])
    assert len(predictor.answer([""])) == 1


@pytest.mark.parametrize(
    ("kind", "row", "pointer", "code"),
    [
        ("vector", [1, 2, "red"], "/rows/1", "wrong_row"),
        ("vector", {"height": "tall"}, "/rows/1/height", "wrong_value"),
        ("vector", {"height": True}, "/rows/1/height", "wrong_value"),
        ("vector", {"height": float("nan")}, "/rows/1/height", "wrong_value"),
        ("vector", {"height": float("inf")}, "/rows/1/height", "wrong_value"),
        ("vector", {"height": 10**400}, "/rows/1/height", "wrong_value"),
        ("vector", {"color": ["red"]}, "/rows/1/color", "wrong_value"),
        ("vector", {"a/b~c": 1}, "/rows/1/a~1b~0c", "unknown_column"),
        ("text", 3, "/rows/1", "wrong_value"),
        ("image", None, "/rows/1", "wrong_value"),
        ("image", [[1, 2], [3, 4]], "/rows/1", "wrong_value"),
        ("image", [[1, 2], [3]], "/rows/1", "wrong_value"),
        ("image", "cat.png", "/rows/1", "wrong_value"),
        ("image", [[[256] * 16] * 16] * 3, "/rows/1", "wrong_value"),
        ("image", [[[256] * 3] * 16] * 16, "/rows/1", "wrong_value"),
        ("image", [[[10**400] * 3] * 16] * 16, "/rows/1", "wrong_value"),
        ("image", [25] * 768, "/rows/1", "wrong_value"),
    ],
)
def test_rows_that_cannot_be_read(kind: InputKind, row: Any, pointer: str, code: str, tmp_path: Path) -> None:
    table, predictor, _ = _trained(kind, tmp_path)
    good = _rows(table, [column.name for column in predictor.columns])[0]
    with pytest.raises(SpecError) as refused:
        predictor.answer([good, row])
    assert (refused.value.pointer, refused.value.code) == (pointer, code)


def test_what_float32_cannot_hold_once_it_is_scaled(tmp_path: Path) -> None:
    _, predictor, _ = _trained("vector", tmp_path)
    for value in (1e300, -1.7e308):
        with pytest.raises(SpecError, match="'width' is too far") as refused:
            predictor.answer([{"height": 1}, {"height": 1, "width": value}])
        assert (refused.value.pointer, refused.value.code) == ("/rows/1/width", "wrong_value")
    assert len(predictor.answer([{"height": 1e30}])) == 1


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("text", [1], "'x' must be a string; this is a list with a number"),
        ("text", [[[1]]], "'x' must be a string; this is a list with a list"),
        ("text", ["a"], "'x' must be a string; this is a list"),
        ("text", 5, "'x' must be a string; this is a number"),
        ("text", "\ud800", "'x' must be a string; this is no Unicode text"),
        ("category", {}, "'x' must be a string; this is an object"),
        ("tokens", "a b", "'x' must be a list of words; this is a string"),
        ("tokens", ["a", None], "'x' must be a list of words; this is a list with null"),
        ("number", True, "'x' must be a finite number; this is true or false"),
        ("number", "five", "'x' must be a finite number; this is 'five'"),
        ("number", "1e999", "'x' must be a finite number; this is '1e999'"),
        ("number", "7" + 99 * "z", "'x' must be a finite number; this is '7" + 38 * "z" + "…'"),
        ("number", float("nan"), "'x' must be a finite number; this is not"),
        ("number", 10**400, "'x' must be a finite number; this is not"),
    ],
)
def test_what_a_cell_must_be_and_what_it_is(kind: Any, value: Any, said: str) -> None:
    column = Column(name="x", kind=kind)
    with pytest.raises(CellError) as refused:
        of(column).cells([None, value], column)
    assert (refused.value.row, f"'x' {refused.value}") == (1, said)


def _chatter(folder: Path) -> Predictor:
    """A language model, loaded from what a few steps of it left on disk."""
    table = small.table("text", folder / "table")
    architecture = {"kind": "transformer_lm", "layers": 1, "heads": 2, "width": 8}
    chosen = {"architecture": architecture, "dataset": {"id": "x", "context": 8}}
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(chosen), table)
    learner = build(resolved.spec, prepared)
    list(islice(loop.fit(learner, lambda epoch: prepared.train.epoch(0, epoch), None), 6))
    snapshot.write(snapshot.take(learner), folder / "s", {}, prepared.preparation.model_dump_json())
    return Predictor.load(resolved, table.schema, folder / "s")


def test_a_language_model_goes_on(tmp_path: Path) -> None:
    predictor = _chatter(tmp_path)
    how = Generation(max_new_tokens=12, seed=5)
    answers = predictor.answer(["iron", {"text": "coal and"}, "", "iron"], how)
    assert [len(answer["text"]) for answer in answers] == [12] * 4
    assert answers[0] == answers[3] == predictor.answer(["iron"], how)[0], "neighbors change nothing"
    assert predictor.answer(["iron"], Generation(max_new_tokens=12, seed=6)) != answers[:1]
    assert len(predictor.answer(["iron"])[0]["text"]) == 100


def _tagger(folder: Path) -> Predictor:
    """A tagger that was trained on rows of six words at most."""
    words = [["ash", "to", "ash"], ["iron", "and", "coal", "and", "more", "iron"]] * 10
    columns = {"words": pa.array(words), "tags": pa.array([[f"T-{word}" for word in row] for row in words])}
    table = small.ingested(folder / "table", columns, target="tags")
    chosen = {"architecture": {"kind": "rnn", "hidden": 4, "embedding": 4}, "dataset": {"id": "x"}}
    resolved, prepared = small.resolve_and_prepare(JobSpec.model_validate(chosen), table)
    preparation, architecture = prepared.preparation, resolved.spec.architecture
    torch.manual_seed(0)
    module = architecture.build_for(preparation.named_inputs(), preparation.target.outputs)
    assert only(preparation.named_inputs()).shape == (6,)
    roles = resolved.roles_in(table.schema)
    return Predictor(module.eval(), preparation, Reader(roles.inputs), any_length=architecture.any_length)


def test_a_tag_for_every_word(tmp_path: Path) -> None:
    predictor = _tagger(tmp_path)
    rows: list[Any] = [["iron"] * 9, [], {"words": ["never", "seen"]}, {"words": []}, {}, ["ash"] * MAX_WORDS]
    answers = predictor.answer(rows)
    assert [len(answer["tags"]) for answer in answers] == [9, 0, 2, 0, 0, MAX_WORDS]
    assert predictor.answer(rows[:1]) == answers[:1]
    assert predictor.answer([[], []]) == [{"tags": []}] * 2
    assert predictor.decode([{"words": []}], torch.ones(1, 6, 6)) == [{"tags": []}]


def test_a_tag_for_every_word_of_a_text(tmp_path: Path) -> None:
    """The encoder counts the words, not the length of the cell."""
    lists = _tagger(tmp_path)
    encoder = lists.preparation.encoder
    assert isinstance(encoder, TensorEncoder) and isinstance(encoder.first, WordsEncoder)
    of_texts = TensorEncoder(columns=[encoder.first.model_copy(update={"tokenizer": Words()})])
    preparation = lists.preparation.model_copy(update={"encoder": of_texts})
    texts = replace(lists, preparation=preparation, reader=Reader([Column(name="words", kind="text")]))
    assert texts.answer(["ash to ash", {"words": "coal"}, ""]) == lists.answer([["ash", "to", "ash"], ["coal"], []])


def test_more_words_than_a_tagger_reads(tmp_path: Path) -> None:
    predictor = _tagger(tmp_path)
    with pytest.raises(SpecError, match="513 words; at most 512 are read") as refused:
        predictor.answer([["ash"], ["ash"] * (MAX_WORDS + 1)])
    assert (refused.value.pointer, refused.value.code) == ("/rows/1", "over_limit")
    bounded = replace(predictor, any_length=False)
    assert len(bounded.answer([["ash"] * 6])[0]["tags"]) == 6
    with pytest.raises(SpecError, match="7 words; at most 6 are read"):
        bounded.answer([["ash"] * 7])


def test_how_much_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="4096 at most") as refused:
        _chatter(tmp_path).answer(["iron"] * 3, Generation(max_new_tokens=2048))
    assert (refused.value.pointer, refused.value.code) == ("/max_new_tokens", "over_limit")


def test_how_cold_it_may_be(tmp_path: Path) -> None:
    predictor = _chatter(tmp_path)
    coldest = predictor.answer(["iron"], Generation(max_new_tokens=12, temperature=1e-3))
    assert coldest == predictor.answer(["iron"], Generation(max_new_tokens=12, top_k=1))
    for too_cold in (1e-320, 1e-4, 0.0):
        with pytest.raises(ValidationError):
            Generation(temperature=too_cold)


def test_only_a_language_model_goes_on(tmp_path: Path) -> None:
    _, predictor, _ = _trained("text", tmp_path)
    with pytest.raises(SpecError) as refused:
        predictor.answer(["iron"], Generation(top_k=3))
    assert (refused.value.pointer, refused.value.code) == ("/top_k", "wrong_task")
