"""Texts: recognized by their scripts, normalized, cut at a length, encoded."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from athanor.contract import Column
from models.data.intake import ingest
from models.data.table import Source, Table
from models.parts.feature import FEATURES, Observation, of, read
from models.parts.features.text import FIRST, Text, WordsEncoder
from models.parts.features.tokens import Tokens
from models.parts.inputs import UNKNOWN, InputKind
from models.parts.tokenizers.bpe import BPE
from models.parts.tokenizers.words import Words
from tests import small

TEXT: frozenset[InputKind] = frozenset({"text"})
CHINESE = ["饭店环境不错。服务良好", "房间找不到纸巾。很差", "早餐也不错。很好", "服务很差。不满意"] * 10


def _column(tmp_path: Path, texts: list[Any]) -> tuple[Table, Column]:
    data = {"text": pa.array(texts), "target": pa.array(["a", "b"] * (len(texts) // 2))}
    tmp_path.mkdir(exist_ok=True)
    table = small.ingested(tmp_path / "t", data)
    return table, table.schema.columns[0]


def _fit(table: Table, column: Column, feature: Text, train: int) -> WordsEncoder:
    return feature.fit(read(table, [column]), column, np.arange(train), TEXT)


def test_the_script_is_told(tmp_path: Path) -> None:
    _, chinese = _column(tmp_path / "c", [f"{text}{at}" * 9 for at, text in enumerate(CHINESE)])
    assert chinese.kind == "text" and chinese.guess is not None and "Han" in chinese.guess
    _, english = _column(tmp_path / "e", [f"a long text of many words, number {at}" for at in range(40)])
    assert english.kind == "text" and english.guess is None and english.settings == {}


def test_html_is_recognized_where_many_texts_have_it(tmp_path: Path) -> None:
    _, found = _column(tmp_path, [f"good film<br />the {at} best &amp; last of all films" for at in range(40)])
    assert found.settings == {"tokenizer": {"kind": "words", "html": True}}
    feature = of(found)
    assert isinstance(feature, Text) and feature.tokenizer == Words(html=True)
    assert found.guess is not None and "HTML" in found.guess


def test_few_tags_change_nothing() -> None:
    seen = Observation(pa.string(), html=0.01, letters={"Latin": 100})
    assert Text.recognize(seen) == Text() and Text().guess(seen) is None


@pytest.mark.parametrize("kind", ["text", "tokens"])
def test_every_spelling_of_a_letter_is_one(kind: str) -> None:
    column = Column(name="x", kind=kind)
    feature = FEATURES[kind].model_validate({})
    cells: list[Any] = ["cafe\u0301", None, "\u1112\u1161\u11ab"]
    expected: list[Any] = ["café", None, "한"]
    if kind == "tokens":
        cells, expected = [[cells[0], "b"], None, [], [cells[2]]], [["café", "b"], None, [], ["한"]]
    values = feature.read(feature.cells(cells, column), column)
    assert values.to_pylist() == expected
    assert feature.read(feature.cells(cells, column).slice(1), column).to_pylist() == expected[1:]


def test_the_length_and_the_count_can_be_chosen(tmp_path: Path) -> None:
    table, column = _column(tmp_path, ["a a b", "a c", "a b d e f", "a"])
    encoder = _fit(table, column, Text(max_length=3, min_count=2), 4)
    assert encoder.words == ["a", "b"] and encoder.length == encoder.max_length == 3
    assert encoder.encode(read(table, [column])).tolist() == [[2, 2, 3], [2, 1, 0], [2, 3, 1], [2, 0, 0]]
    assert Text(max_length=3).expect(column, TEXT).shape == (3,)
    assert Tokens(max_length=2).expect(column, TEXT).shape == (2,)


def test_a_rare_pair_is_left_out_and_a_rare_character_is_unknown(tmp_path: Path) -> None:
    table, column = _column(tmp_path, ["很好", "很好", "很差", "新"])
    encoder = _fit(table, column, Text(), 3)
    assert encoder.words == ["很", "好", "很好", "差"]
    numbers = {word: at for at, word in enumerate(encoder.words, FIRST)}
    assert encoder.encode(read(table, [column])).tolist() == [
        [numbers["很"], numbers["很好"], numbers["好"]],
        [numbers["很"], numbers["很好"], numbers["好"]],
        [numbers["很"], numbers["差"], 0],
        [UNKNOWN, 0, 0],
    ]


def test_pieces_are_learned_from_the_training_rows_and_kept(tmp_path: Path) -> None:
    table, column = _column(tmp_path, [f"{text}{at}" for at, text in enumerate(CHINESE)])
    encoder = _fit(table, column, Text(tokenizer=BPE(vocabulary_size=300)), 20)
    again = WordsEncoder.model_validate_json(encoder.model_dump_json())
    cells = read(table, [column])
    assert np.array_equal(encoder.encode(cells), again.encode(cells))
    assert isinstance(encoder.tokenizer, BPE) and encoder.tokenizer.merges
    assert encoder == _fit(table, column, Text(tokenizer=BPE(vocabulary_size=300)), 20)
    expected = Text(tokenizer=BPE(vocabulary_size=300)).expect(column, TEXT)
    assert len(encoder.words) + FIRST <= expected.vocabulary


def test_ingested_again_with_a_tokenizer(tmp_path: Path) -> None:
    """As a spec says it: the length of a row is that of the tokenizer that was chosen."""
    rows = pa.record_batch({"text": pa.array(CHINESE), "y": pa.array(["a", "b"] * 20)})
    source = Source(iter([rows]))
    schema = ingest(source, tmp_path / "rows", features={"text": Text(tokenizer=BPE())}).schema
    assert schema.columns[0].max_length == max(len(text.encode()) for text in CHINESE)
