"""Targets as tensors, measures, and outputs in the user's words."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn import metrics

from models.data.preparation import targets
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.roles import assign
from models.data.preparation.targets import Classes, Tags, Values
from models.errors import DataError
from models.parts.architectures.linear import Linear
from models.parts.architectures.rnn import RNN
from models.parts.losses.cross_entropy import CrossEntropy
from tests import small

UNUSED = TensorEncoder(columns=[])


def test_classes_are_numbered_as_the_schema_has_them(tmp_path: Path) -> None:
    table = small.ingested(tmp_path / "t", {"x": pa.array([1.5] * 6), "target": pa.array([10, 9, 2, 10, 9, 2])})
    roles = assign(DatasetChoice(id="x"), table.schema, Linear())
    target = targets.fit(table, roles, np.array([0, 1]), UNUSED)
    assert isinstance(target, Classes)
    # A class that the training rows lack has its place all the same.
    assert target.classes == ["2", "9", "10"]
    assert target.encode(table, np.array([0, 2, 1])).tolist() == [2, 0, 1]
    assert target.outputs == 3


def test_values_are_scaled_by_the_training_rows(tmp_path: Path) -> None:
    table = small.ingested(tmp_path / "t", {"x": pa.array([1.5] * 4), "target": pa.array([1.5, 3.5, 100.25, None])})
    roles = assign(DatasetChoice(id="x"), table.schema, Linear())
    target = targets.fit(table, roles, np.array([0, 1]), UNUSED)
    assert isinstance(target, Values)
    assert (target.mean, target.std) == (2.5, 1.0)
    assert target.encode(table, np.array([0, 1, 2])).tolist() == [-1, 1, 97.75]
    flat = targets.fit(table, roles, np.array([1]), UNUSED)
    assert isinstance(flat, Values) and flat.std == 1.0


def test_a_constant_value_has_no_scale(tmp_path: Path) -> None:
    columns = {"x": pa.array([1.5] * 301), "target": pa.array([0.1] * 300 + [0.2])}
    table = small.ingested(tmp_path / "t", columns)
    roles = assign(DatasetChoice(id="x"), table.schema, Linear())
    target = targets.fit(table, roles, np.arange(300), UNUSED)
    assert isinstance(target, Values) and target.std == 1.0
    assert target.encode(table, np.array([300])).tolist() == [pytest.approx(0.1)]


def test_accuracy_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y_NK, t_N = rng.standard_normal((50, 4)), rng.integers(0, 4, 50)
    found = Classes(name="t", classes=list("abcd")).measure(torch.from_numpy(y_NK), torch.from_numpy(t_N))
    assert found == {"accuracy": pytest.approx(metrics.accuracy_score(t_N, y_NK.argmax(1)))}


def test_regression_measures_are_scikit_learns_in_the_targets_own_unit() -> None:
    rng = np.random.default_rng(0)
    target = Values(name="t", mean=20.0, std=3.0)
    y_N1, t_N = rng.standard_normal((50, 1)), rng.standard_normal(50)
    said, true = y_N1[:, 0] * 3 + 20, t_N * 3 + 20
    assert target.measure(torch.from_numpy(y_N1), torch.from_numpy(t_N)) == {
        "rmse": pytest.approx(metrics.root_mean_squared_error(true, said)),
        "mae": pytest.approx(metrics.mean_absolute_error(true, said)),
        "r2": pytest.approx(metrics.r2_score(true, said)),
    }
    assert target.decode(torch.from_numpy(y_N1[:2]), torch.empty(0)) == [
        {"value": pytest.approx(value)} for value in said[:2]
    ]


def test_no_variance_leaves_none_to_explain() -> None:
    measured = Values(name="t", mean=0.0, std=1.0).measure(torch.zeros(3, 1), torch.ones(3))
    assert measured == {"rmse": 1.0, "mae": 1.0}


def test_labels_and_probabilities() -> None:
    y_NK = torch.tensor([[0.0, np.log(3.0)], [1000.0, 0.0]])
    first, second = Classes(name="t", classes=["no", "yes"]).decode(y_NK, torch.empty(0))
    assert first == {"label": "yes", "probabilities": pytest.approx({"no": 0.25, "yes": 0.75})}
    assert second == {"label": "no", "probabilities": {"no": 1.0, "yes": 0.0}}


def test_what_is_no_number_has_no_label() -> None:
    y_NK = torch.tensor([[0.0, torch.nan], [0.0, torch.inf], [1.0, 0.0]])
    answers = Classes(name="t", classes=["no", "yes"]).decode(y_NK, torch.empty(0))
    assert [answer["label"] for answer in answers] == [None, None, "no"]


def _tagged(tmp_path: Path, tags: list[list[str]]) -> tuple[targets.Target, torch.Tensor]:
    words = [["fly", "to", "new", "york"], ["from", "boston"]]
    table = small.ingested(tmp_path / "t", {"tokens": pa.array(words), "tags": pa.array(tags)})
    roles = assign(DatasetChoice(id="x", input="tokens", target="tags"), table.schema, RNN())
    encoder = TensorEncoder.fit(table, roles, np.array([0, 1]))
    target = targets.fit(table, roles, np.array([0, 1]), encoder)
    return target, target.encode(table, np.array([0, 1]))


def test_tags_are_numbered_and_padded(tmp_path: Path) -> None:
    target, t_NT = _tagged(tmp_path, [["O", "O", "B-city", "I-city"], ["O", "B-city"]])
    assert isinstance(target, Tags) and target.tags == ["B-city", "I-city", "O"]
    assert t_NT.tolist() == [[2, 2, 0, 1], [2, 0, -1, -1]]


def test_tags_as_many_as_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 2 has 2 words in 'tokens' and 1 tags in 'tags'"):
        _tagged(tmp_path, [["O", "O", "B-city", "I-city"], ["O"]])


def test_padding_counts_for_nothing_in_a_tagger(tmp_path: Path) -> None:
    target, t_NT = _tagged(tmp_path, [["O", "O", "B-city", "I-city"], ["O", "B-city"]])
    y_NTK = torch.randn(2, 4, 3)
    other_NTK = y_NTK.clone()
    other_NTK[1, 2:] = 100.0
    criterion = target.criterion(CrossEntropy().build())
    assert criterion(y_NTK, t_NT) == criterion(other_NTK, t_NT)
    assert target.measure(y_NTK, t_NT) == target.measure(other_NTK, t_NT)
    words = torch.nn.functional.cross_entropy(y_NTK.flatten(0, 1)[[0, 1, 2, 3, 4, 5]], torch.tensor([2, 2, 0, 1, 2, 0]))
    torch.testing.assert_close(criterion(y_NTK, t_NT), words)


def test_a_tagger_is_measured_and_answers_in_tags(tmp_path: Path) -> None:
    target, t_NT = _tagged(tmp_path, [["O", "O", "B-city", "I-city"], ["O", "B-city"]])
    guess_NT = torch.tensor([[2, 2, 0, 2], [2, 0, 0, 0]])
    y_NTK = torch.nn.functional.one_hot(guess_NT, 3).float()
    # Boston is found, New York is cut short: one of two entities, and one of two guesses, is right.
    assert target.measure(y_NTK, t_NT) == {"accuracy": pytest.approx(5 / 6), "f1": 0.5}
    x_NT = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]])
    answers = target.decode(y_NTK, x_NT)
    assert answers == [{"tags": ["O", "O", "B-city", "O"]}, {"tags": ["O", "B-city"]}]
