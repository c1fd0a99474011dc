"""AdamW against algorithm 2 of Loshchilov and Hutter 2019."""

import numpy as np
import pytest

from models.parts.optimizers.adamw import AdamW
from tests.models.parts.optimizers.steps import Array, assert_follows


@pytest.mark.parametrize("weight_decay", [0.0, 0.01, 0.5])
def test_steps(weight_decay: float) -> None:
    t, m, v = 0, np.zeros((3, 4)), np.zeros((3, 4))

    def rule(weights: Array, gradient: Array) -> Array:
        nonlocal t, m, v
        t += 1
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        adam = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return weights - 0.1 * (adam + weight_decay * weights)

    assert_follows(AdamW(lr=0.1, weight_decay=weight_decay), rule)
