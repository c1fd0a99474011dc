"""Columns as tensors."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from models.data.preparation.choice import DatasetChoice
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.roles import assign
from models.data.table import Layout, Table
from models.parts.architecture import Architecture
from models.parts.architectures.cnn import CNN
from models.parts.architectures.linear import Linear
from models.parts.architectures.textcnn import TextCNN
from models.parts.feature import read
from models.parts.features.category import CategoryEncoder
from models.parts.features.image import ImageEncoder
from models.parts.features.text import MAX_WORDS, WordsEncoder
from models.parts.tokenizers.words import Words
from tests import small


def _fit(table: Table, architecture: Architecture, train: list[int], **choice: Any) -> TensorEncoder:
    roles = assign(DatasetChoice.model_validate({"id": "x", **choice}), table.schema, architecture)
    return TensorEncoder.fit(read(table, roles.columns), roles.only, np.array(train))


def test_vectors(tmp_path: Path) -> None:
    columns = {
        "size": pa.array([1.0, 3.0, None, 100.0]),
        "flat": pa.array([5.0, 5.0, 5.0, 7.0]),
        "color": pa.array(["red", "blue", "red", "green"]),
        "target": pa.array(["a", "b", "a", "b"]),
    }
    table = small.ingested(tmp_path / "t", columns)
    table.schema.columns[2].kind = "category"
    encoder = _fit(table, Linear(), [0, 1, 2])
    color = encoder.columns[-1]
    assert isinstance(color, CategoryEncoder)
    assert color.values == ["blue", "red"]
    # Scaled by the rows trained on; a missing number is their mean; a color they do not have is none of theirs.
    expected = [[-1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 0, 1], [98, 2, 0, 0]]
    assert encoder.encode(table).tolist() == expected
    assert encoder.encode(table).dtype == torch.float32
    assert encoder.inputs().shape == (4,)


def test_a_constant_that_has_no_last_digit(tmp_path: Path) -> None:
    """The mean of 300 numbers 0.1 is not quite 0.1: their spread is rounding, and would make a giant of any other."""
    columns = {"flat": pa.array([0.1] * 300 + [0.2]), "target": pa.array(["a", "b"] * 150 + ["a"])}
    table = small.ingested(tmp_path / "t", columns)
    assert np.full(300, 0.1).std() > 0
    found = _fit(table, Linear(), list(range(300))).encode(table)
    assert found[:300].abs().max() < 1e-6 and float(found[300]) == pytest.approx(0.1)


def test_a_missing_category_is_one_of_its_own(tmp_path: Path) -> None:
    columns = {"color": pa.array(["red", None, "blue", "red"] * 3), "target": pa.array(["a", "b"] * 6)}
    table = small.ingested(tmp_path / "t", columns)
    found = _fit(table, Linear(), [0, 1, 2, 3]).encode(table)
    assert found[:4].tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_a_column_of_nothing_known(tmp_path: Path) -> None:
    columns = {"size": pa.array([None, None, 2.0, 3.0]), "target": pa.array(["a", "b", "a", "b"])}
    table = small.ingested(tmp_path / "t", columns)
    assert _fit(table, Linear(), [0, 1]).encode(table).tolist() == [[0], [0], [2], [3]]


@pytest.mark.parametrize("channels", [1, 3])
def test_images(channels: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 4, 5, channels), dtype=np.uint8)
    columns = {"image": small.pictures(pixels), "target": pa.array(["a", "b"] * 3)}
    table = small.ingested(tmp_path / "t", columns, {"image": Layout("image", (4, 5, channels))})
    encoder = _fit(table, CNN(channels=[2]), [0, 1, 2])
    assert isinstance(encoder.first, ImageEncoder)
    assert encoder.inputs().shape == (channels, 4, 5)
    mean, std = pixels[:3].astype(float).mean((0, 1, 2)), pixels[:3].astype(float).std((0, 1, 2))
    expected = ((pixels - mean) / std).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(encoder.encode(table), expected, rtol=1e-4, atol=1e-5)


def test_a_blank_channel_stays_finite(tmp_path: Path) -> None:
    pixels = np.zeros((4, 3, 3, 2), dtype=np.uint8)
    pixels[..., 0] = 9
    columns = {"image": small.pictures(pixels), "target": pa.array(["a", "b"] * 2)}
    table = small.ingested(tmp_path / "t", columns, {"image": Layout("image", (3, 3, 2))})
    assert _fit(table, CNN(channels=[2]), [0, 1]).encode(table).abs().max() == 0


def test_arrays_as_vectors_and_as_images(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((6, 4, 5)).astype(np.float32)
    values[:, 0, 0] = 2
    columns = {"array": pa.array([row.tobytes() for row in values], pa.binary(80)), "target": pa.array(["a", "b"] * 3)}
    table = small.ingested(tmp_path / "t", columns, {"array": Layout("array", (4, 5))})
    image = _fit(table, CNN(channels=[2]), [0, 1, 2])
    assert isinstance(image.first, ImageEncoder) and image.inputs().shape == (1, 4, 5)
    roles = assign(DatasetChoice(id="x"), table.schema, CNN(channels=[2]))
    vector = TensorEncoder.fit(table, replace(roles.only, accepts=frozenset({"vector"})), np.array([0, 1, 2]))
    assert vector.inputs().shape == (20,)
    flat = values.reshape(6, 20).astype(float)
    std = np.where(flat[:3].std(0) > 0, flat[:3].std(0), 1)
    np.testing.assert_allclose(vector.encode(table), (flat - flat[:3].mean(0)) / std, rtol=1e-3, atol=1e-5)


def _texts(tmp_path: Path, texts: list[Any]) -> Table:
    return small.ingested(tmp_path / "t", {"text": pa.array(texts), "target": pa.array(["a", "b"] * (len(texts) // 2))})


def test_texts(tmp_path: Path) -> None:
    texts = [
        "iron and coal and bone go in the pot",
        "the iron was hot, and that is all",
        "",
        "nobody knows what slag would do to an ember that was cold",
    ]
    table = _texts(tmp_path, texts)
    encoder = _fit(table, TextCNN(), [0, 1, 2])
    words = encoder.first
    assert isinstance(words, WordsEncoder) and words.tokenizer == Words()
    # By frequency, ties by spelling.
    assert words.words[:4] == ["and", "iron", "the", ","]
    # The longest row, of training or not: a sentence is to be tested to its end.
    assert words.length == 12
    x_NT = encoder.encode(table)
    assert x_NT.dtype == torch.int64 and x_NT.shape == (4, 12)
    number = {word: at for at, word in enumerate(words.words, 2)}
    assert x_NT[0].tolist() == [number[word] for word in texts[0].split()] + [0] * 3
    assert x_NT[1].tolist() == [number[word] for word in Words().tokens(texts[1])] + [0] * 3
    assert x_NT[2].tolist() == [1] + [0] * 11
    # Words that the training rows do not have: 1.
    assert x_NT[3].tolist() == [number.get(word, 1) for word in texts[3].split()]
    assert encoder.inputs().vocabulary == len(words.words) + 2 == int(x_NT.max()) + 1


def test_lists_of_words_are_not_cut_again(tmp_path: Path) -> None:
    rows = pa.array([["New York", "is"], ["It's"], [], ["is"]], pa.list_(pa.string()))
    table = small.ingested(tmp_path / "t", {"words": rows, "target": pa.array(["a", "b"] * 2)})
    encoder = _fit(table, TextCNN(), [0, 1, 2, 3])
    words = encoder.first
    assert isinstance(words, WordsEncoder) and words.tokenizer is None
    assert words.words == ["is", "It's", "New York"]
    assert encoder.encode(table).tolist() == [[4, 2], [3, 0], [1, 0], [2, 0]]


def test_very_long_texts_are_cut(tmp_path: Path) -> None:
    table = _texts(tmp_path, ["word " * 2000, "another word of text", "one more", "and one"])
    encoder = _fit(table, TextCNN(), [0, 1, 2, 3])
    assert encoder.inputs().shape == (MAX_WORDS,) == tuple(encoder.encode(table).shape[1:])


@pytest.mark.parametrize("kind", ["vector", "image", "text"])
def test_only_training_rows_teach(kind: Any, tmp_path: Path) -> None:
    table = small.table(kind, tmp_path / "t")
    other = small.table(kind, tmp_path / "u", rows=80)
    architecture: Architecture = {"vector": Linear(), "image": CNN(), "text": TextCNN()}[kind]
    train = list(range(0, 30))
    rest = table.data.slice(0, 30), other.data.slice(40, 10)
    changed = Table(table.schema, pa.concat_tables([piece.combine_chunks() for piece in rest]))
    assert changed.rows == table.rows
    assert _fit(table, architecture, train) == _fit(changed, architecture, train)
    assert _fit(table, architecture, train) != _fit(table, architecture, list(range(10, 40)))
