"""The hinge loss against Crammer and Singer 2001, row by row, and scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import hinge_loss

from models.parts.losses.hinge import Hinge


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("margin", [0.5, 1.0, 3.0])
def test_formula(margin: float, classes: int) -> None:
    rng = np.random.default_rng(0)
    y_BK, t_B = 2 * rng.standard_normal((9, classes)), rng.integers(0, classes, 9)
    costs = []
    for y_K, t in zip(y_BK, t_B, strict=True):
        costs.append(max(0.0, margin + max(y for k, y in enumerate(y_K) if k != t) - y_K[t]))
    found = Hinge(margin=margin).build()(torch.from_numpy(y_BK), torch.from_numpy(t_B))
    assert float(found) == pytest.approx(np.mean(costs))


def test_it_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y_BK, t_B = rng.standard_normal((20, 4)), np.arange(20) % 4
    found = Hinge().build()(torch.from_numpy(y_BK), torch.from_numpy(t_B))
    assert float(found) == pytest.approx(hinge_loss(t_B, y_BK))


def test_a_lead_of_the_margin_costs_nothing() -> None:
    y_BK = torch.tensor([[3.0, 1.0, 0.0]])
    assert float(Hinge(margin=2.0).build()(y_BK, torch.tensor([0]))) == 0.0
    assert float(Hinge(margin=2.5).build()(y_BK, torch.tensor([0]))) == 0.5
