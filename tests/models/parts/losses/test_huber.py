"""Huber's loss against the textbook, in numpy."""

import numpy as np
import pytest
import torch

from models.parts.losses.huber import Huber


@pytest.mark.parametrize("delta", [0.1, 1.0, 50.0])
def test_formula(delta: float) -> None:
    rng = np.random.default_rng(0)
    y_B1, t_B = 3 * rng.standard_normal((9, 1)), rng.standard_normal(9)
    e_B = np.abs(y_B1[:, 0] - t_B)
    expected = np.where(e_B <= delta, e_B**2 / 2, delta * (e_B - delta / 2)).mean()
    found = Huber(delta=delta).build()(torch.from_numpy(y_B1), torch.from_numpy(t_B))
    assert float(found) == pytest.approx(expected)


def test_the_two_pieces_meet() -> None:
    criterion = Huber(delta=2.0).build()
    just = [float(criterion(torch.tensor([[2.0 + by]]), torch.zeros(1))) for by in (-1e-3, 0.0, 1e-3)]
    assert just == pytest.approx([2 - 2e-3, 2.0, 2 + 2e-3], abs=1e-5)
