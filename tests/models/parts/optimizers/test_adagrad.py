"""Adagrad against the diagonal update of Duchi, Hazan and Singer 2011."""

import numpy as np
import pytest

from models.parts.optimizers.adagrad import Adagrad
from tests.models.parts.optimizers.steps import Array, assert_follows


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize(("initial", "eps"), [(0.0, 1e-10), (0.5, 0.1)])
def test_steps(initial: float, eps: float, weight_decay: float) -> None:
    squares = np.full((3, 4), initial)

    def rule(weights: Array, gradient: Array) -> Array:
        nonlocal squares
        gradient = gradient + weight_decay * weights
        squares = squares + gradient**2
        step: Array = gradient / (np.sqrt(squares) + eps)
        return weights - 0.1 * step

    assert_follows(Adagrad(lr=0.1, initial=initial, eps=eps, weight_decay=weight_decay), rule)
