"""Activations against their formulas."""

import math
from typing import get_args

import numpy as np
import pytest
import torch

from models.nn.activations import MONOTONE, Activation, DenseActivation, activation, input_multiplier

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


def test_swiglu_opens_the_second_half_by_the_first() -> None:
    gate_XY, value_XY = np.meshgrid(X[::20], X[::25])
    found = activation("swiglu")(torch.from_numpy(np.concatenate([gate_XY, value_XY], 1))).numpy()
    np.testing.assert_allclose(found, gate_XY / (1 + np.exp(-gate_XY)) * value_XY, atol=1e-12)


@pytest.mark.parametrize("name", get_args(DenseActivation))
def test_lanes(name: DenseActivation) -> None:
    assert activation(name)(torch.zeros(3, 5 * input_multiplier(name))).shape == (3, 5)
