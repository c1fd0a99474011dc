"""Adam against algorithm 1 of Kingma and Ba 2015."""

import numpy as np
import pytest

from models.parts.optimizers.adam import Adam
from tests.models.parts.optimizers.steps import Array, assert_follows


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize(("beta1", "beta2", "eps"), [(0.9, 0.999, 1e-8), (0.5, 0.8, 0.1)])
def test_steps(beta1: float, beta2: float, eps: float, weight_decay: float) -> None:
    t, m, v = 0, np.zeros((3, 4)), np.zeros((3, 4))

    def rule(weights: Array, gradient: Array) -> Array:
        nonlocal t, m, v
        t += 1
        gradient = gradient + weight_decay * weights
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        return weights - 0.1 * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)

    assert_follows(Adam(lr=0.1, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay), rule)
