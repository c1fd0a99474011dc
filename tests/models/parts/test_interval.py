"""Intervals against Wilson's definition, and against what happens if the rows are drawn again and again."""

import numpy as np
import pytest

from models.parts.interval import ESTIMATES


@pytest.mark.parametrize(("right", "rows"), [(0, 7), (7, 7), (14, 15), (55, 57), (870, 1000)])
def test_a_proportion(right: int, rows: int) -> None:
    """Each bound is a share that is 1.96 standard errors, of its own, away from what was seen."""
    seen = right / rows
    low, high = ESTIMATES["proportion"].bounds(seen, rows)
    assert 0 <= low <= seen <= high <= 1
    for bound in {low, high} - {seen}:
        assert abs(bound - seen) == pytest.approx(1.96 * (bound * (1 - bound) / rows) ** 0.5)


def test_a_proportion_as_scipy_computes_it() -> None:
    assert ESTIMATES["proportion"].bounds(14 / 15, 15) == pytest.approx((0.7018, 0.9881), abs=1e-4)


def test_a_mean_error_is_in_its_interval_19_times_of_20() -> None:
    rng = np.random.default_rng(0)
    e = rng.standard_normal((4000, 50))
    for errors, truth in ((np.sqrt((e**2).mean(1)), 1.0), (np.abs(e).mean(1), (2 / np.pi) ** 0.5)):
        low, high = ESTIMATES["error"].bounds(1.0, 50)
        assert 0.92 < np.mean((errors * low <= truth) & (truth <= errors * high)) < 0.97


def test_half_a_width_is_in_points_or_relative() -> None:
    assert ESTIMATES["proportion"].half_width(0.5, 100) == pytest.approx(0.096, abs=1e-3)
    assert ESTIMATES["error"].half_width(1000.0, 100) == pytest.approx(0.139, abs=1e-3)
    assert ESTIMATES["error"].half_width(0.0, 100) == 0.0
