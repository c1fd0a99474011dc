"""Focal loss against equation 4 of Lin et al. 2017, in numpy."""

import numpy as np
import pytest
import torch

from models.parts.losses.cross_entropy import CrossEntropy
from models.parts.losses.focal import Focal


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("counts", [None, [4, 0, 1, 11]])
def test_formula(gamma: float, counts: list[int] | None) -> None:
    rng = np.random.default_rng(0)
    y_BK, t_B = 3 * rng.standard_normal((9, 4)), rng.integers(0, 4, 9)
    p_B = (np.exp(y_BK) / np.exp(y_BK).sum(1, keepdims=True))[np.arange(9), t_B]
    alpha_K = np.ones(4) if counts is None else np.array([16 / 16, 16 / 4, 16 / 4, 16 / 44])
    expected = -(alpha_K[t_B] * (1 - p_B) ** gamma * np.log(p_B)).mean()
    focal = Focal(gamma=gamma, class_weights=None if counts is None else "balanced")
    criterion = focal.build_for(None if counts is None else torch.tensor(counts))
    assert float(criterion(torch.from_numpy(y_BK), torch.from_numpy(t_B))) == pytest.approx(expected)


def test_gamma_0_is_cross_entropy() -> None:
    y_BK, t_B = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1])
    torch.testing.assert_close(Focal(gamma=0).build()(y_BK, t_B), CrossEntropy().build()(y_BK, t_B))


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 1.0, 2.0])
def test_rows_that_are_surely_right_have_a_slope(gamma: float) -> None:
    y_BK = torch.tensor([[1e4, 0.0], [20.0, 0.0], [0.0, 1e4]], requires_grad=True)
    Focal(gamma=gamma).build()(y_BK, torch.tensor([0, 0, 0])).backward()  # type: ignore[no-untyped-call]
    assert y_BK.grad is not None and torch.isfinite(y_BK.grad).all()
