"""Cross-entropy against the textbook, in numpy."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models.losses.cross_entropy import CrossEntropy


def _formula(y_BK: npt.NDArray[np.float64], t_B: npt.NDArray[np.int64], smoothing: float) -> float:
    p_BK = np.exp(y_BK) / np.exp(y_BK).sum(1, keepdims=True)
    q_BK = np.full(y_BK.shape, smoothing / y_BK.shape[1])
    q_BK[np.arange(len(t_B)), t_B] += 1 - smoothing
    return float(-(q_BK * np.log(p_BK)).sum(1).mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_formula(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    y_BK, t_B = 3 * rng.standard_normal((9, 4)), rng.integers(0, 4, 9)
    found = CrossEntropy(label_smoothing=smoothing).build()(torch.from_numpy(y_BK), torch.from_numpy(t_B))
    assert float(found) == pytest.approx(_formula(y_BK, t_B, smoothing))


def test_knowing_nothing_costs_the_logarithm_of_the_classes() -> None:
    assert float(CrossEntropy().build()(torch.zeros(2, 8), torch.tensor([1, 7]))) == pytest.approx(math.log(8))
