"""RMSE against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn import metrics

from models.parts.metric import Meaning
from models.parts.metrics.rmse import RMSE


def test_it_is_scikit_learns_in_the_targets_own_unit() -> None:
    rng = np.random.default_rng(0)
    y_N1, t_N = rng.standard_normal((50, 1)), rng.standard_normal(50)
    found = RMSE().measure(torch.from_numpy(y_N1), torch.from_numpy(t_N), Meaning(unit=3.0))
    assert found == pytest.approx(metrics.root_mean_squared_error(t_N * 3 + 20, y_N1[:, 0] * 3 + 20))
