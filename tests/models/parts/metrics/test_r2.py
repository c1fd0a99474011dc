"""R2 against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn import metrics

from models.parts.metric import Meaning
from models.parts.metrics.r2 import R2


def test_it_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y_N1, t_N = rng.standard_normal((50, 1)), rng.standard_normal(50)
    found = R2().measure(torch.from_numpy(y_N1), torch.from_numpy(t_N), Meaning())
    assert found == pytest.approx(metrics.r2_score(t_N, y_N1[:, 0]))


def test_no_variance_leaves_none_to_explain() -> None:
    assert R2().measure(torch.zeros(3, 1), torch.ones(3), Meaning()) is None
