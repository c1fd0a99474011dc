"""What is constant, and what only nearly is."""

import numpy as np
import pytest

from models.parts.scaling import divisor


@pytest.mark.parametrize("count", [1, 3, 300, 100_001])
@pytest.mark.parametrize("value", [0.0, 0.1, -0.7, 1e-300, 5.3e17])
def test_equal_numbers_are_divided_by_one(value: float, count: int) -> None:
    """Summed in pairs, and one after the other as down a column of a table."""
    for numbers in (np.full(count, value), np.full((count, 2), value)):
        assert (divisor(numbers.std(0), numbers.mean(0), count) == 1).all()


@pytest.mark.parametrize("shift", [0.0, 1.7e9])
def test_numbers_that_differ_are_divided_by_their_spread(shift: float) -> None:
    """Seconds of one afternoon of 2023 among them."""
    numbers = shift + np.random.default_rng(0).standard_normal((10_000, 3)) * [1e-2, 1.0, 1e4]
    std = numbers.std(0)
    np.testing.assert_array_equal(divisor(std, numbers.mean(0), len(numbers)), std)
