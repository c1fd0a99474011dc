"""Adadelta against algorithm 1 of Zeiler 2012."""

import numpy as np
import pytest

from models.parts.optimizers.adadelta import Adadelta
from tests.models.parts.optimizers.steps import Array, assert_follows


@pytest.mark.parametrize(("rho", "eps"), [(0.9, 1e-6), (0.95, 1e-3)])
@pytest.mark.parametrize("lr", [1.0, 0.3])
def test_steps(rho: float, eps: float, lr: float) -> None:
    gradients, updates = np.zeros((3, 4)), np.zeros((3, 4))

    def rule(weights: Array, gradient: Array) -> Array:
        nonlocal gradients, updates
        gradients = rho * gradients + (1 - rho) * gradient**2
        update = -np.sqrt(updates + eps) / np.sqrt(gradients + eps) * gradient
        updates = rho * updates + (1 - rho) * update**2
        return weights + lr * update

    assert_follows(Adadelta(lr=lr, rho=rho, eps=eps), rule)
