"""The inverse square root against equation 3 of Vaswani et al. 2017."""

import pytest

from models.parts.schedules.inverse_sqrt import InverseSqrt


@pytest.mark.parametrize("warmup", [1, 7, 4000])
def test_formula(warmup: int) -> None:
    def rate(number: int) -> float:
        return float(512**-0.5 * min(number**-0.5, number * warmup**-1.5))

    schedule = InverseSqrt(warmup_steps=warmup)
    for step in [0, 1, 5, 6, 7, 8, 99, 3999, 4000, 20_000]:
        assert schedule.factor(step, 30_000) == pytest.approx(rate(step + 1) / rate(warmup))


def test_without_a_warm_up() -> None:
    schedule = InverseSqrt(warmup_steps=0)
    assert [schedule.factor(step, 9) for step in (0, 3, 8)] == pytest.approx([1, 1 / 2, 1 / 3])
