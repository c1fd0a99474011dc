"""Accuracy against scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics

from models.parts.metric import Meaning
from models.parts.metrics.accuracy import Accuracy


def test_it_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y_NK, t_N = rng.standard_normal((50, 4)), rng.integers(0, 4, 50)
    found = Accuracy().measure(torch.from_numpy(y_NK), torch.from_numpy(t_N), Meaning())
    assert found == pytest.approx(metrics.accuracy_score(t_N, y_NK.argmax(1)))


def test_padding_counts_for_nothing() -> None:
    y_NTK = torch.nn.functional.one_hot(torch.tensor([[0, 1, 0], [1, 0, 0]]), 2)
    t_NT = torch.tensor([[0, 0, -1], [1, -1, -1]])
    assert Accuracy().measure(y_NTK, t_NT, Meaning()) == pytest.approx(2 / 3)
    nothing = Accuracy().measure(y_NTK, torch.full((2, 3), -1), Meaning())
    assert nothing is not None and math.isnan(nothing)
