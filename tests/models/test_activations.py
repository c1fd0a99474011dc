"""Activations against their formulas."""

import math
from typing import get_args

import numpy as np
import pytest
import torch

from models.activations import MONOTONE, Activation, activation

X = np.linspace(-6, 6, 401)
FORMULAS = {
    "sigmoid": 1 / (1 + np.exp(-X)),
    "tanh": np.tanh(X),
    "relu": np.where(X > 0, X, 0),
    "leaky_relu": np.where(X > 0, X, 0.01 * X),
    "elu": np.where(X > 0, X, np.exp(X) - 1),
    "gelu": X * (1 + np.vectorize(math.erf)(X / math.sqrt(2))) / 2,
    "silu": X / (1 + np.exp(-X)),
}


@pytest.mark.parametrize("name", get_args(Activation))
def test_formula(name: Activation) -> None:
    found = activation(name)(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(found, FORMULAS[name], atol=1e-12)
    assert (name in MONOTONE) == bool((np.diff(FORMULAS[name]) >= 0).all())
