"""Gradients for an optimizer, and where its steps lead."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from models.parts.optimizer import Optimizer

Array = npt.NDArray[np.float64]
Rule = Callable[[Array, Array], Array]
"""From weights and gradient to weights; it remembers what it needs."""


def assert_follows(optimizer: Optimizer, rule: Rule, steps: int = 6, atol: float = 1e-12) -> None:
    """The optimizer and the rule, given the same gradients, walk the same way."""
    rng = np.random.default_rng(0)
    expected = rng.standard_normal((3, 4))
    weights = nn.Parameter(torch.from_numpy(expected.copy()))
    built = optimizer.build([weights])
    for _ in range(steps):
        gradient = rng.standard_normal((3, 4))
        weights.grad = torch.from_numpy(gradient.copy())
        built.step()
        expected = rule(expected, gradient)
        np.testing.assert_allclose(weights.detach().numpy(), expected, rtol=1e-9, atol=atol)
