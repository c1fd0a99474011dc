"""Binary cross-entropy against the textbook, in numpy."""

import numpy as np
import pytest
import torch

from models.parts.losses.bce import BCE


def test_formula() -> None:
    rng = np.random.default_rng(0)
    y_BK, t_B = 3 * rng.standard_normal((9, 4)), rng.integers(0, 4, 9)
    p_BK = 1 / (1 + np.exp(-y_BK))
    is_BK = np.arange(4) == t_B[:, None]
    expected = -np.where(is_BK, np.log(p_BK), np.log(1 - p_BK)).mean()
    assert float(BCE().build()(torch.from_numpy(y_BK), torch.from_numpy(t_B))) == pytest.approx(expected)
