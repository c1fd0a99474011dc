"""Kullback-Leibler divergence against the textbook, in numpy, and against cross-entropy."""

import numpy as np
import pytest
import torch

from models.parts.losses.cross_entropy import CrossEntropy
from models.parts.losses.kl_div import KLDivergence


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_formula(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    y_BK, t_B = 3 * rng.standard_normal((9, 4)), rng.integers(0, 4, 9)
    p_BK = np.exp(y_BK) / np.exp(y_BK).sum(1, keepdims=True)
    q_BK = np.full(y_BK.shape, smoothing / 4)
    q_BK[np.arange(9), t_B] += 1 - smoothing
    terms_BK = q_BK * (np.log(np.where(q_BK > 0, q_BK, 1)) - np.log(p_BK))
    found = KLDivergence(label_smoothing=smoothing).build()(torch.from_numpy(y_BK), torch.from_numpy(t_B))
    assert float(found) == pytest.approx(terms_BK.sum(1).mean())


def test_it_is_cross_entropy_less_the_entropy_of_the_target() -> None:
    rng = np.random.default_rng(1)
    y_BK, t_B = torch.from_numpy(rng.standard_normal((9, 4))).requires_grad_(), torch.from_numpy(rng.integers(0, 4, 9))
    q_K = np.array([0.2 / 4 + 0.8, 0.05, 0.05, 0.05])
    divergence = KLDivergence(label_smoothing=0.2).build()(y_BK, t_B)
    entropy = CrossEntropy(label_smoothing=0.2).build()(y_BK, t_B)
    assert float((entropy - divergence).detach()) == pytest.approx(-(q_K * np.log(q_K)).sum())
    torch.testing.assert_close(*(torch.autograd.grad(loss, y_BK)[0] for loss in (divergence, entropy)))


def test_the_target_itself_costs_nothing() -> None:
    y_1K = torch.tensor([[0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3]]).log()
    assert float(KLDivergence(label_smoothing=0.1).build()(y_1K, torch.tensor([0]))) == pytest.approx(0, abs=1e-7)
