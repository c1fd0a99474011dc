"""Gradient descent against its formulas."""

import numpy as np
import pytest
from pydantic import ValidationError

from models.parts.optimizers.sgd import SGD
from tests.models.parts.optimizers.steps import Array, assert_follows


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.5, True)])
def test_steps(momentum: float, nesterov: bool, weight_decay: float) -> None:
    velocity = np.zeros((3, 4))

    def rule(weights: Array, gradient: Array) -> Array:
        nonlocal velocity
        gradient = gradient + weight_decay * weights
        velocity = momentum * velocity + gradient
        return weights - 0.1 * (gradient + momentum * velocity if nesterov else velocity)

    assert_follows(SGD(lr=0.1, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay), rule)


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ValidationError, match="nesterov needs a momentum above 0"):
        SGD(momentum=0.0, nesterov=True)
