"""RMSprop against slide 29 of Tieleman and Hinton 2012, and equations 38 to 41 of Graves 2013 where it is centred."""

import numpy as np
import pytest

from models.parts.optimizers.rmsprop import RMSprop
from tests.models.parts.optimizers.steps import Array, assert_follows


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize(("alpha", "momentum"), [(0.99, 0.0), (0.9, 0.8)])
def test_steps(alpha: float, momentum: float, centered: bool, weight_decay: float) -> None:
    mean, square, velocity = np.zeros((3, 4)), np.zeros((3, 4)), np.zeros((3, 4))

    def rule(weights: Array, gradient: Array) -> Array:
        nonlocal mean, square, velocity
        gradient = gradient + weight_decay * weights
        square = alpha * square + (1 - alpha) * gradient**2
        mean = alpha * mean + (1 - alpha) * gradient
        spread = square - mean**2 if centered else square
        velocity = momentum * velocity + gradient / (np.sqrt(spread) + 0.01)
        return weights - 0.1 * velocity

    optimizer = RMSprop(lr=0.1, alpha=alpha, momentum=momentum, centered=centered, eps=0.01, weight_decay=weight_decay)
    assert_follows(optimizer, rule)
    assert optimizer.states == 1 + (momentum > 0) + centered
