"""Mean squared error against the textbook, in numpy."""

import warnings

import numpy as np
import pytest
import torch

from models.parts.losses.mse import MSE


@pytest.mark.parametrize("rows", [1, 9])
def test_formula(rows: int) -> None:
    rng = np.random.default_rng(0)
    y_B1, t_B = rng.standard_normal((rows, 1)), rng.standard_normal(rows)
    with warnings.catch_warnings():
        # [B, 1] against [B] would quietly become [B, B].
        warnings.simplefilter("error")
        found = MSE().build()(torch.from_numpy(y_B1), torch.from_numpy(t_B))
    assert float(found) == pytest.approx(((y_B1[:, 0] - t_B) ** 2).mean())
