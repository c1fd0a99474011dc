"""Perplexity against the log loss of scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics

from models.parts.metric import Meaning
from models.parts.metrics.perplexity import Perplexity


def test_it_is_e_to_scikit_learns_log_loss() -> None:
    rng = np.random.default_rng(0)
    y_NTK, t_NT = rng.standard_normal((4, 6, 5)), rng.integers(0, 5, (4, 6))
    t_NT[1, 2:] = -1
    found = Perplexity().measure(torch.from_numpy(y_NTK), torch.from_numpy(t_NT), Meaning())
    p_nK = torch.softmax(torch.from_numpy(y_NTK[t_NT >= 0]), 1).numpy()
    assert found == pytest.approx(math.exp(metrics.log_loss(t_NT[t_NT >= 0], p_nK, labels=range(5))))


def test_it_stays_a_number() -> None:
    y_11K = torch.tensor([[[0.0, 1e6]]])
    found = Perplexity().measure(y_11K, torch.tensor([[0]]), Meaning())
    assert found == pytest.approx(math.exp(700))
