"""RAdam against algorithm 2 of Liu et al. 2020."""

import numpy as np
import pytest

from models.parts.optimizers.radam import RAdam
from tests.models.parts.optimizers.steps import Array, assert_follows


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize(("beta1", "beta2"), [(0.9, 0.999), (0.5, 0.8)])
def test_steps(beta1: float, beta2: float, weight_decay: float) -> None:
    t, m, v = 0, np.zeros((3, 4)), np.zeros((3, 4))
    longest = 2 / (1 - beta2) - 1
    rectified = []

    def rule(weights: Array, gradient: Array) -> Array:
        nonlocal t, m, v
        t += 1
        gradient = gradient + weight_decay * weights
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        mean = m / (1 - beta1**t)
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        rectified.append(length > 5)
        if length <= 5:
            return weights - 0.1 * mean
        r = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
        step: Array = r * mean * np.sqrt(1 - beta2**t) / (np.sqrt(v) + 1e-8)
        return weights - 0.1 * step

    assert_follows(RAdam(lr=0.1, beta1=beta1, beta2=beta2, weight_decay=weight_decay), rule, steps=12)
    assert set(rectified) == {False, True}, "both branches are walked"
