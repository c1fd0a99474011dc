"""Cosine loss against the textbook, in numpy."""

import numpy as np
import pytest
import torch

from models.parts.losses.cosine import CosineLoss


def test_formula() -> None:
    rng = np.random.default_rng(0)
    y_BK, t_B = 3 * rng.standard_normal((9, 4)), rng.integers(0, 4, 9)
    truth_BK = np.eye(4)[t_B]
    cosine_B = (y_BK * truth_BK).sum(1) / np.linalg.norm(y_BK, axis=1) / np.linalg.norm(truth_BK, axis=1)
    found = CosineLoss().build()(torch.from_numpy(y_BK), torch.from_numpy(t_B))
    assert float(found) == pytest.approx(1 - cosine_B.mean())


def test_only_the_direction_counts() -> None:
    criterion = CosineLoss().build()
    y_BK, t_B = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1])
    assert float(criterion(7 * y_BK, t_B)) == pytest.approx(float(criterion(y_BK, t_B)))
    at = torch.tensor([[5.0, 0.0], [-5.0, 0.0], [0.0, 5.0]])
    assert [float(criterion(row[None], torch.tensor([0]))) for row in at] == [0.0, 2.0, 1.0]


def test_no_direction_at_all() -> None:
    y_BK = torch.zeros(2, 3, requires_grad=True)
    loss = CosineLoss().build()(y_BK, torch.tensor([0, 1]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 1.0 and y_BK.grad is not None and torch.isfinite(y_BK.grad).all()
