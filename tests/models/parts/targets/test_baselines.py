"""What takes no learning, against scikit-learn and counting by hand."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

from models.data.preparation.choice import DatasetChoice
from models.data.preparation.examples import Examples, Prepared, prepare
from models.data.preparation.roles import assign
from models.data.table import Table
from models.parts.architecture import ARCHITECTURES
from models.parts.targets.classes import FittedClasses
from models.parts.targets.tags import Tags
from models.parts.targets.value import FittedValue, Value
from tests import small


def _prepared(table: Table, architecture: str, **choice: Any) -> Prepared:
    said = DatasetChoice.model_validate({"id": "x", **choice})
    return prepare(table, assign(said, table.schema, ARCHITECTURES[architecture].model_validate({})), said.split)


def test_the_largest_class_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    train, part = rng.choice(3, 60, p=[0.2, 0.5, 0.3]), rng.choice(3, 30)
    dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((60, 1)), train)
    found = FittedClasses(name="t", classes=list("abc")).baseline(_examples(train), _examples(part))
    assert found["accuracy"] == pytest.approx(dummy.score(np.zeros((30, 1)), part))


def test_the_mean_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    train, part = rng.standard_normal(60) + 0.3, rng.standard_normal(30)
    said = DummyRegressor().fit(np.zeros((60, 1)), train).predict(np.zeros((30, 1)))
    found = FittedValue(name="t", mean=0.0, std=1.0).baseline(_examples(train), _examples(part))
    assert {name: found[name] for name in Value.metrics} == {
        "rmse": pytest.approx(metrics.root_mean_squared_error(part, said)),
        "mae": pytest.approx(metrics.mean_absolute_error(part, said)),
        "r2": pytest.approx(metrics.r2_score(part, said)),
    }


def _examples(t: Any) -> Examples:
    return Examples(torch.zeros(len(t), 1), torch.from_numpy(t))


def test_each_word_has_its_commonest_tag(tmp_path: Path) -> None:
    rows = [
        ("from rome to oslo", "O B-from O B-to", "train"),
        ("from oslo", "O B-from", "train"),
        ("to oslo", "O B-to", "train"),
        ("in", "O", "val"),
        # A word that training lacks has the commonest tag of all, O.
        ("from rome to oslo in may", "O B-from O B-to O B-when", "test"),
    ]
    columns = {
        "words": pa.array([words.split() for words, _, _ in rows]),
        "tags": pa.array([tags.split() for _, tags, _ in rows]),
        "part": pa.array([part for _, _, part in rows]),
    }
    table = small.ingested(tmp_path / "t", columns, target="tags")
    prepared = _prepared(table, "rnn", target="tags", input="words", split={"kind": "given", "column": "part"})
    target = prepared.preparation.target
    assert target.part.baseline_kind == "unigram"
    # Two entities of three are found, and none that is not there.
    found = target.baseline(prepared.train, prepared.test)
    assert {name: found[name] for name in Tags.metrics} == {
        "accuracy": pytest.approx(5 / 6),
        "f1": pytest.approx(metrics.f1_score([1, 1, 1], [1, 1, 0])),
    }


def test_single_tokens_are_as_likely_as_they_are_frequent(tmp_path: Path) -> None:
    text = "abracadabra alakazam"
    table = small.ingested(tmp_path / "t", {"text": pa.array([text])}, target=None)
    split = {"kind": "holdout", "val": 0.4, "test": 0}
    prepared = _prepared(table, "transformer_lm", context=3, split=split)
    target = prepared.preparation.target
    # Twelve tokens to train on make eleven to foretell, which fill three windows of three.
    counts = Counter(text[1:10])
    kinds = len(set(text[:12])) + 3
    nats = [-math.log((counts[letter] + 1) / (9 + kinds)) for letter in text[13:]]
    assert target.baseline(prepared.train, prepared.val)["perplexity"] == pytest.approx(math.exp(sum(nats) / len(nats)))
