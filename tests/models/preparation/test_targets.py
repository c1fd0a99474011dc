"""Targets as tensors, measures, and outputs in the user's words."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn import metrics

from athanor.contract import DatasetChoice
from models.architectures.linear import Linear
from models.preparation import targets
from models.preparation.roles import assign
from models.preparation.targets import Classes, Values
from tests import small


def test_classes_are_numbered_as_the_schema_has_them(tmp_path: Path) -> None:
    table = small.ingested(tmp_path / "t", {"x": pa.array([1.5] * 6), "target": pa.array([10, 9, 2, 10, 9, 2])})
    roles = assign(DatasetChoice(id="x"), table.schema, Linear())
    target = targets.fit(table, roles, np.array([0, 1]))
    assert isinstance(target, Classes)
    # A class that the training rows lack has its place all the same.
    assert target.classes == ["2", "9", "10"]
    assert target.encode(table, np.array([0, 2, 1])).tolist() == [2, 0, 1]
    assert target.outputs == 3


def test_values_are_scaled_by_the_training_rows(tmp_path: Path) -> None:
    table = small.ingested(tmp_path / "t", {"x": pa.array([1.5] * 4), "target": pa.array([1.5, 3.5, 100.25, None])})
    roles = assign(DatasetChoice(id="x"), table.schema, Linear())
    target = targets.fit(table, roles, np.array([0, 1]))
    assert isinstance(target, Values)
    assert (target.mean, target.std) == (2.5, 1.0)
    assert target.encode(table, np.array([0, 1, 2])).tolist() == [-1, 1, 97.75]
    flat = targets.fit(table, roles, np.array([1]))
    assert isinstance(flat, Values) and flat.std == 1.0


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
    assert target.decode(torch.from_numpy(y_N1[:2])) == [{"value": pytest.approx(value)} for value in said[:2]]


def test_no_variance_leaves_none_to_explain() -> None:
    measured = Values(name="t", mean=0.0, std=1.0).measure(torch.zeros(3, 1), torch.ones(3))
    assert measured == {"rmse": 1.0, "mae": 1.0}


def test_labels_and_probabilities() -> None:
    y_NK = torch.tensor([[0.0, np.log(3.0)], [1000.0, 0.0]])
    first, second = Classes(name="t", classes=["no", "yes"]).decode(y_NK)
    assert first == {"label": "yes", "probabilities": pytest.approx({"no": 0.25, "yes": 0.75})}
    assert second == {"label": "no", "probabilities": {"no": 1.0, "yes": 0.0}}
