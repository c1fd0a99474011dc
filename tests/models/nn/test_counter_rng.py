"""Random numbers of examples: the published generator, the distributions, and nothing that the batch decides."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models.nn.counter_rng import GOLDEN_GAMMA, CounterRNG, mix64

MANY = torch.arange(20_000)


def _furthest(values_N: torch.Tensor, share: npt.NDArray[np.float64]) -> float:
    """Kolmogorov's distance between a sample and the distribution whose `share` lies below each of its values, sorted.

    Times the root of the sample's size, it is above 1.95 once in a thousand times.
    """
    number = len(values_N)
    steps_N = np.arange(number + 1) / number
    return float(max(abs(share - steps_N[1:]).max(), abs(share - steps_N[:-1]).max()) * math.sqrt(number))


def _sorted(values_N: torch.Tensor) -> npt.NDArray[np.float64]:
    return np.sort(values_N.double().numpy())


def test_words_are_those_of_splitmix64() -> None:
    # The values that implementations of the generator are checked with, for the seed 1234567.
    words_5 = mix64(torch.tensor([1234567]) + torch.arange(1, 6) * GOLDEN_GAMMA)
    assert [int(word) % 2**64 for word in words_5] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_an_example_has_the_same_numbers_in_every_batch() -> None:
    whole = CounterRNG(3, 5, 1, torch.arange(100))
    rows_B = torch.tensor([77, 3, 3, 40])
    few = CounterRNG(3, 5, 1, rows_B)
    assert torch.equal(few.uniform(4, 3), whole.uniform(4, 3)[rows_B])
    assert torch.equal(few.normal(4, 3), whole.normal(4, 3)[rows_B])
    assert torch.equal(few.beta(0.3), whole.beta(0.3)[rows_B])
    assert torch.equal(few.integers(1000), whole.integers(1000)[rows_B])


def test_every_part_of_the_key_matters() -> None:
    seen = {
        tuple(CounterRNG(seed, epoch, place, torch.tensor([row])).uniform(3).flatten().tolist())
        for seed in (0, 1, 2**32 - 1)
        for epoch in (0, 1, 12)
        for place in (0, 1, 2)
        for row in (0, 1, 2)
    }
    assert len(seen) == 81


def test_nothing_is_drawn_from_a_generator_with_a_state() -> None:
    before = torch.get_rng_state()
    draws = CounterRNG(0, 0, 0, MANY[:10])
    for _ in (draws.uniform(2), draws.normal(2), draws.beta(1.0), draws.integers(3)):
        pass
    assert torch.equal(torch.get_rng_state(), before)


def test_uniform_numbers_are_uniform() -> None:
    u_N3 = CounterRNG(0, 7, 0, MANY).uniform(3)
    assert u_N3.shape == (len(MANY), 3) and u_N3.dtype == torch.float32
    assert u_N3.min() >= 0 and u_N3.max() < 1
    for u_N in u_N3.unbind(1):
        assert _furthest(u_N, _sorted(u_N)) < 1.95
        # Chi-square with 63 degrees of freedom: above 103.4 once in a thousand times.
        counts = np.bincount((u_N * 64).long().numpy(), minlength=64)
        assert ((counts - len(u_N) / 64) ** 2 / (len(u_N) / 64)).sum() < 103.4


def test_neighbors_in_every_direction_are_independent() -> None:
    here = CounterRNG(0, 7, 0, MANY).uniform(2)
    others = [
        here[:, 1],
        here[:, 0].roll(1),
        CounterRNG(0, 8, 0, MANY).uniform(2)[:, 0],
        CounterRNG(1, 7, 0, MANY).uniform(2)[:, 0],
        CounterRNG(0, 7, 1, MANY).uniform(2)[:, 0],
    ]
    for other in others:
        assert abs(float(torch.corrcoef(torch.stack([here[:, 0], other]))[0, 1])) < 4 / math.sqrt(len(MANY))


def test_normal_numbers_are_normal() -> None:
    z_N = CounterRNG(1, 0, 0, MANY).normal(5).flatten()
    assert z_N.dtype == torch.float32
    normal = NormalDist()
    assert _furthest(z_N, np.array([normal.cdf(z) for z in _sorted(z_N)])) < 1.95
    assert float(z_N.var()) == pytest.approx(1, abs=0.02)
    lags = torch.corrcoef(CounterRNG(1, 0, 0, MANY).normal(5).T)
    assert (lags - torch.eye(5)).abs().max() < 4 / math.sqrt(len(MANY))


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_beta_against_its_distribution_where_that_is_elementary(alpha: float) -> None:
    share_N = CounterRNG(2, 0, 0, MANY).beta(alpha)
    b_N = _sorted(share_N)
    below = {0.5: 2 / np.pi * np.arcsin(np.sqrt(b_N)), 1.0: b_N, 2.0: 3 * b_N**2 - 2 * b_N**3}[alpha]
    assert _furthest(share_N, below) < 1.95


@pytest.mark.parametrize("alpha", [0.01, 0.2, 5.0, 100.0])
def test_moments_of_beta(alpha: float) -> None:
    share_N = CounterRNG(2, 1, 0, MANY).beta(alpha).double()
    assert share_N.min() >= 0 and share_N.max() <= 1
    variance = 1 / (4 * (2 * alpha + 1))
    fourth = 3 * variance**2 * (2 * alpha + 1) / (2 * alpha + 3)
    assert float(share_N.mean()) == pytest.approx(0.5, abs=4 * math.sqrt(variance / len(MANY)))
    assert float((share_N - 0.5).square().mean()) == pytest.approx(variance, rel=0.05)
    assert float((share_N - 0.5).pow(4).mean()) == pytest.approx(fourth, rel=0.1)


def test_whole_numbers_below_an_end() -> None:
    k_N = CounterRNG(0, 0, 0, MANY).integers(10)
    counts = np.bincount(k_N.numpy(), minlength=10)
    assert len(counts) == 10
    # Chi-square with 9 degrees of freedom: above 27.9 once in a thousand times.
    assert ((counts - 2000) ** 2 / 2000).sum() < 27.9
    assert CounterRNG(0, 0, 0, MANY).integers(2**40).max() > 2**39


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_draws_the_same() -> None:
    here, there = CounterRNG(4, 2, 1, MANY), CounterRNG(4, 2, 1, MANY.cuda())
    assert torch.equal(here.uniform(3), there.uniform(3).cpu())
    assert torch.equal(here.normal(3), there.normal(3).cpu())
    assert torch.equal(here.integers(999), there.integers(999).cpu())
    torch.testing.assert_close(here.beta(0.2), there.beta(0.2).cpu())
