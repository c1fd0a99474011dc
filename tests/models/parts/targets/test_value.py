"""Values to unit variance, and outputs in the target's own unit."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn import metrics

from models.data.preparation.choice import DatasetChoice
from models.data.preparation.encoders import TensorEncoder
from models.data.preparation.examples import fit_target
from models.data.preparation.roles import assign
from models.parts.architectures.linear import Linear
from models.parts.targets.value import FittedValue, Value
from tests import small

UNUSED = TensorEncoder(columns=[])


def test_values_are_scaled_by_the_training_rows(tmp_path: Path) -> None:
    table = small.ingested(
        tmp_path / "t", {"x": pa.array([1.5, 2.5, 1.0, 1.0]), "target": pa.array([1.5, 3.5, 100.25, None])}
    )
    roles = assign(DatasetChoice(id="x"), table.schema, Linear())
    target = fit_target(table, roles, np.array([0, 1]), UNUSED)
    assert isinstance(target, FittedValue)
    assert (target.mean, target.std) == (2.5, 1.0)
    assert target.encode(table, np.array([0, 1, 2])).tolist() == [-1, 1, 97.75]
    flat = fit_target(table, roles, np.array([1]), UNUSED)
    assert isinstance(flat, FittedValue) and flat.std == 1.0


def test_a_constant_value_has_no_scale(tmp_path: Path) -> None:
    columns = {"x": pa.array([1.5, 2.5] + [1.5] * 299), "target": pa.array([0.1] * 300 + [0.2])}
    table = small.ingested(tmp_path / "t", columns)
    roles = assign(DatasetChoice(id="x"), table.schema, Linear())
    target = fit_target(table, roles, np.arange(300), UNUSED)
    assert isinstance(target, FittedValue) and target.std == 1.0
    assert target.encode(table, np.array([300])).tolist() == [pytest.approx(0.1)]


def test_regression_measures_are_scikit_learns_in_the_targets_own_unit() -> None:
    rng = np.random.default_rng(0)
    target = FittedValue(name="t", mean=20.0, std=3.0)
    y_N1, t_N = rng.standard_normal((50, 1)), rng.standard_normal(50)
    said, true = y_N1[:, 0] * 3 + 20, t_N * 3 + 20
    measured = target.measure(torch.from_numpy(y_N1), torch.from_numpy(t_N))
    assert {name: measured[name] for name in Value.metrics} == {
        "rmse": pytest.approx(metrics.root_mean_squared_error(true, said)),
        "mae": pytest.approx(metrics.mean_absolute_error(true, said)),
        "r2": pytest.approx(metrics.r2_score(true, said)),
    }
    assert target.decode(torch.from_numpy(y_N1[:2]), []) == [{"value": pytest.approx(value)} for value in said[:2]]


def test_no_variance_leaves_none_to_explain() -> None:
    measured = FittedValue(name="t", mean=0.0, std=1.0).measure(torch.zeros(3, 1), torch.ones(3))
    assert {name: measured.get(name) for name in Value.metrics} == {"rmse": 1.0, "mae": 1.0, "r2": None}
