"""Cross-entropy against the textbook, in numpy."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from models.parts.losses.cross_entropy import CrossEntropy


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


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_balanced_classes_count_the_same(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    t_B = np.repeat([0, 1, 2], [12, 3, 1])
    y_BK = 3 * rng.standard_normal((16, 3))
    w_K = compute_class_weight("balanced", classes=np.arange(3), y=t_B)
    rows = [w_K[t] * _formula(y_K[None], np.array([t]), smoothing) for y_K, t in zip(y_BK, t_B, strict=True)]
    loss = CrossEntropy(label_smoothing=smoothing, class_weights="balanced")
    criterion = loss.build_for(torch.bincount(torch.from_numpy(t_B)))
    found = float(criterion(torch.from_numpy(y_BK), torch.from_numpy(t_B)))
    assert found == pytest.approx(np.mean(rows))
    # Over the training part: the mean over classes of the mean over their rows.
    each = [_formula(y_BK[t_B == k], t_B[t_B == k], smoothing) for k in range(3)]
    assert found == pytest.approx(np.mean(each))


def test_a_class_that_training_never_sees_has_a_weight() -> None:
    criterion = CrossEntropy(class_weights="balanced").build_for(torch.tensor([4, 0]))
    assert float(criterion(torch.zeros(1, 2), torch.tensor([1]))) == pytest.approx(2 * math.log(2))


def test_without_class_weights_counts_change_nothing() -> None:
    y_BK, t_B = torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 0, 1])
    assert CrossEntropy().build_for(torch.tensor([3, 1]))(y_BK, t_B) == CrossEntropy().build()(y_BK, t_B)
