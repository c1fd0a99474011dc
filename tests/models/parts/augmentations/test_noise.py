"""Noise: normal, of the size that was asked for, and new in each epoch."""

import pytest
import torch

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import Inputs
from models.parts.augmentations.noise import Noise


@pytest.mark.parametrize("inputs", [Inputs("vector", (30,)), Inputs("image", (3, 2, 5))], ids=["vector", "image"])
def test_what_is_added(inputs: Inputs) -> None:
    x_B = torch.randn(1000, *inputs.shape, generator=torch.Generator().manual_seed(0))
    change = Noise(std=0.25).build(inputs)
    shown = [change(x_B, CounterRNG(0, epoch, 0, torch.arange(1000))) for epoch in (0, 1)]
    z_N = ((shown[0] - x_B) / 0.25).flatten()
    assert float(z_N.mean()) == pytest.approx(0, abs=0.025)
    assert float(z_N.var()) == pytest.approx(1, abs=0.04)
    # The shares of a normal distribution within one and within two standard deviations.
    assert float((z_N.abs() < 1).double().mean()) == pytest.approx(0.6827, abs=0.012)
    assert float((z_N.abs() < 2).double().mean()) == pytest.approx(0.9545, abs=0.005)
    other_N = ((shown[1] - x_B) / 0.25).flatten()
    assert abs(float(torch.corrcoef(torch.stack([z_N, other_N]))[0, 1])) < 0.025
