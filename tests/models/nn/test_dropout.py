"""Dropout masks follow from seed, step and place."""

import math

import pytest
import torch
from torch import nn

from models.nn.dropout import Dropout, StepRandom, mask

CPU = torch.device("cpu")


def _drawn(seed: int, step: int, layers: int = 1, rows: int = 200, p: float = 0.3) -> list[torch.Tensor]:
    """The masks of some layers in one step, for rows of 100 ones."""
    network = nn.Sequential(*(Dropout(p) for _ in range(layers)))
    random = StepRandom(seed)
    random.attach(network.modules())
    random.begin(step, CPU)
    return [layer(torch.ones(rows, 100)) for layer in network]


def test_a_mask_is_a_function_of_seed_step_and_place() -> None:
    one, other = _drawn(3, 7, 2)
    assert all(torch.equal(*pair) for pair in zip(_drawn(3, 7, 2), (one, other), strict=True))
    masks = [one, other, *_drawn(3, 8), *_drawn(4, 7)]
    for at, each in enumerate(masks):
        for another in masks[:at]:
            both = ((each == 0) & (another == 0)).double().mean()
            # Independent masks both drop with probability p².
            assert float(both) == pytest.approx(0.09, abs=5 * math.sqrt(0.09 * 0.91 / each.numel()))


def test_a_layer_that_is_used_twice_draws_twice() -> None:
    layer, random = Dropout(0.5), StepRandom(0)
    random.attach([layer])
    random.begin(1, CPU)
    first, second = layer(torch.ones(9, 9)), layer(torch.ones(9, 9))
    random.begin(1, CPU)
    assert torch.equal(layer(torch.ones(9, 9)), first) and not torch.equal(first, second)


@pytest.mark.parametrize("rows", [1, 3, 150])
def test_a_row_does_not_depend_on_those_after_it(rows: int) -> None:
    assert torch.equal(_drawn(3, 7, rows=rows)[0], _drawn(3, 7)[0][:rows])


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_elements_are_dropped_with_probability_p(p: float) -> None:
    """Counts of single elements and of pairs of neighbors are as a normal and a chi-square test at 10⁻⁴ allow."""
    (drawn,) = _drawn(0, 5, rows=1000, p=p)
    dropped = (drawn == 0).flatten()
    assert abs(int(dropped.sum()) - dropped.numel() * p) < 3.9 * math.sqrt(dropped.numel() * p * (1 - p))
    pairs = torch.bincount(2 * dropped[0::2].long() + dropped[1::2].long(), minlength=4).double()
    expected = pairs.sum() * torch.tensor([(1 - p) ** 2, (1 - p) * p, p * (1 - p), p**2])
    # The quantile of chi-square with three degrees of freedom.
    assert float(((pairs - expected) ** 2 / expected).sum()) < 21.1
    assert torch.unique(drawn).tolist() == pytest.approx([0, 1 / (1 - p)], rel=1e-4)


@pytest.mark.parametrize("p", [0.001, 0.3, 1 - 1e-9])
def test_the_mean_over_all_bits_is_one(p: float) -> None:
    every = torch.arange(-(2**15), 2**15, dtype=torch.int16)
    assert float(mask(every, p, torch.float64).mean()) == pytest.approx(1, rel=1e-12)


def test_no_mask_in_evaluation_and_torch_s_own_without_a_source() -> None:
    x = torch.randn(5, 4)
    assert Dropout(0.5).eval()(x) is x and Dropout(0.0)(x) is x
    torch.manual_seed(1)
    drawn = Dropout(0.5)(x)
    torch.manual_seed(1)
    assert torch.equal(drawn, nn.functional.dropout(x, 0.5))


def test_torch_s_global_generator_follows_from_seed_and_step() -> None:
    drawn = []
    for seed, step in ((1, 2), (1, 2), (1, 3), (2, 2)):
        torch.rand(step)
        StepRandom(seed).begin(step, CPU)
        drawn.append(float(torch.rand(())))
    assert drawn[0] == drawn[1] and len(set(drawn)) == 3
