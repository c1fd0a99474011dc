"""NAdam against algorithm 2 of Dozat 2016."""

import numpy as np
import pytest

from models.parts.optimizers.nadam import NAdam
from tests.models.parts.optimizers.steps import Array, assert_follows


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize(("beta1", "beta2", "psi"), [(0.9, 0.999, 4e-3), (0.5, 0.8, 0.3)])
def test_steps(beta1: float, beta2: float, psi: float, weight_decay: float) -> None:
    t, m, n, product = 0, np.zeros((3, 4)), np.zeros((3, 4)), 1.0

    def rule(weights: Array, gradient: Array) -> Array:
        nonlocal t, m, n, product
        t += 1
        gradient = gradient + weight_decay * weights
        now, following = (beta1 * (1 - 0.5 * 0.96 ** (at * psi)) for at in (t, t + 1))
        product *= now
        m = beta1 * m + (1 - beta1) * gradient
        n = beta2 * n + (1 - beta2) * gradient**2
        ahead = following * m / (1 - product * following) + (1 - now) * gradient / (1 - product)
        step: Array = ahead / (np.sqrt(n / (1 - beta2**t)) + 1e-8)
        return weights - 0.1 * step

    optimizer = NAdam(lr=0.1, beta1=beta1, beta2=beta2, momentum_decay=psi, weight_decay=weight_decay)
    # The product of the decays is kept in single precision.
    assert_follows(optimizer, rule, atol=1e-7)
