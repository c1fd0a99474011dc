"""Packed points: what goes in comes out to the bit, and thinning keeps what the eye looks for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.records.chunks import Points, extremes, join, pack, thin, unpack

FLOATS = st.floats(width=64)


@st.composite
def points(draw: st.DrawFn, least: int = 1, values: st.SearchStrategy[float] = FLOATS) -> Points:
    """Ascending steps with any values at any times."""
    steps = sorted(draw(st.sets(st.integers(-(2**62), 2**62), min_size=least, max_size=60)))
    return Points(
        np.array(steps, np.int64),
        draw(arrays.arrays(np.float64, len(steps), elements=values)),
        draw(arrays.arrays(np.float64, len(steps), elements=FLOATS)),
        np.array(sorted(draw(st.sets(st.integers(0, 2**62), min_size=len(steps), max_size=len(steps)))), np.int64),
    )


def bits(points: Points) -> tuple[list[int], bytes, bytes, list[int]]:
    """Equal only where every bit is, NaN included."""
    return points.steps.tolist(), points.values.tobytes(), points.times.tobytes(), points.sequences.tolist()


@given(points())
def test_packing_loses_nothing(given: Points) -> None:
    assert bits(unpack(pack(given))) == bits(given)


@given(points(least=2), st.data())
def test_a_part_packs_as_well_as_the_whole(given: Points, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(given) - 1))
    parts = [unpack(pack(part)) for part in (given[:cut], given[cut:])]
    assert bits(join(parts)) == bits(given)


def test_a_long_series_takes_little_room() -> None:
    steps = np.arange(1, 4097, dtype=np.int64)
    noise = np.random.default_rng(0).normal(size=len(steps)).astype(np.float32).astype(np.float64)
    times, sequences = np.linspace(1.8e9, 1.8e9 + 41, 4096), 5 * steps + steps // 40
    assert len(pack(Points(steps, 1 / steps + noise, times, sequences))) < 12 * len(steps)


def test_no_parts_make_no_points() -> None:
    assert len(join([])) == 0


@given(points(values=st.floats(width=16)))
def test_extremes_are_the_first_of_the_finite(given: Points) -> None:
    finite = [
        (step, value)
        for step, value in zip(given.steps.tolist(), given.values.tolist(), strict=True)
        if np.isfinite(value)
    ]
    if not finite:
        assert extremes(given) is None
        return
    low, high = min(value for _, value in finite), max(value for _, value in finite)
    assert extremes(given) == (
        next(point for point in finite if point[1] == low),
        next(point for point in finite if point[1] == high),
    )


@given(points(values=st.floats(allow_nan=False)), st.integers(4, 40))
def test_thinning_keeps_the_ends_and_the_extremes(given: Points, most: int) -> None:
    thinned = thin(given, most)
    assert len(thinned) <= most
    assert {given.steps[0], given.steps[-1]} <= set(thinned.steps)
    assert (thinned.values.min(), thinned.values.max()) == (given.values.min(), given.values.max())
    at = np.searchsorted(given.steps, thinned.steps)
    assert bits(given[at]) == bits(thinned)
    assert np.all(thinned.steps[1:] > thinned.steps[:-1])


@given(points(), st.integers(4, 40))
def test_thinning_shows_where_it_is_not_a_number(given: Points, most: int) -> None:
    thinned = thin(given, most)
    assert len(thinned) <= most
    assert np.isnan(thinned.values).any() == np.isnan(given.values).any()


@pytest.mark.parametrize("most", [4, 5, 100, 999])
def test_thinning_keeps_a_spike(most: int) -> None:
    values = np.ones(1000)
    values[371], values[372] = 50.0, -50.0
    thinned = thin(Points.of(np.arange(1, 1001), values, np.zeros(1000)), most)
    assert len(thinned) <= most
    assert {372, 373} <= set(thinned.steps.tolist())
