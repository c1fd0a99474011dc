"""Starts of the weights against their formulas."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from athanor.contract import Initialization
from models.nn.initialization import initialize


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 5)
        self.wide, self.tall = nn.Linear(200, 300), nn.Linear(300, 200)
        self.filters = nn.Conv2d(40, 60, (3, 5))
        self.words = nn.Conv1d(50, 20, 7)
        self.norm = nn.BatchNorm2d(60)
        self.meant = nn.Linear(6, 6)
        nn.init.zeros_(self.meant.weight)


def _made(name: Initialization, seed: int = 0) -> tuple[Small, dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    model = Small()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(seed)
    initialize(model, name)
    return model, before


DRAWN = ("wide.weight", "tall.weight", "filters.weight", "words.weight")
SEEN = {"wide": (200, 300), "tall": (300, 200), "filters": (40 * 15, 60 * 15), "words": (50 * 7, 20 * 7)}
"""Numbers that one output is made from, and that one input goes into."""


@pytest.mark.parametrize("name", get_args(Initialization))
def test_only_weights_of_maps_and_convolutions_are_drawn(name: Initialization) -> None:
    model, before = _made(name)
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == (set() if name == "default" else set(DRAWN))


@pytest.mark.parametrize("name", ["xavier", "kaiming", "orthogonal"])
def test_the_seed_decides(name: Initialization) -> None:
    first, again, other = (_made(name, seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in DRAWN)
    assert not any(torch.equal(first[key], other[key]) for key in DRAWN)


def test_default_draws_nothing() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    _made("default", seed=0)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("layer", SEEN)
def test_xavier(layer: str) -> None:
    into, out = SEEN[layer]
    weight = _made("xavier")[0].state_dict()[f"{layer}.weight"].double().numpy()
    bound = math.sqrt(6 / (into + out))
    assert 0.99 * bound < np.abs(weight).max() <= bound * (1 + 1e-6)
    assert weight.var() == pytest.approx(bound**2 / 3, rel=0.05)
    assert weight.mean() == pytest.approx(0, abs=bound / 20)


@pytest.mark.parametrize("layer", SEEN)
def test_kaiming(layer: str) -> None:
    weight = _made("kaiming")[0].state_dict()[f"{layer}.weight"].double().numpy()
    assert weight.var() == pytest.approx(2 / SEEN[layer][0], rel=0.05)
    # A normal distribution: 4.6 of a hundred are more than two standard deviations out.
    assert (np.abs(weight) > 2 * weight.std()).mean() == pytest.approx(0.0455, abs=0.01)


@pytest.mark.parametrize("layer", SEEN)
def test_orthogonal(layer: str) -> None:
    weight = _made("orthogonal")[0].state_dict()[f"{layer}.weight"].double().flatten(1).numpy()
    few = weight if len(weight) <= weight.shape[1] else weight.T
    np.testing.assert_allclose(few @ few.T, np.eye(len(few)), atol=1e-5)


@pytest.mark.parametrize(("model", "gates"), [(nn.RNN(30, 40, 2), 1), (nn.LSTM(30, 40, 2), 4), (nn.GRU(30, 40, 2), 3)])
def test_every_gate_of_a_recurrent_layer_is_a_map_of_its_own(model: nn.RNNBase, gates: int) -> None:
    biases = {key: value.clone() for key, value in model.named_parameters() if key.startswith("bias")}
    initialize(model, "orthogonal")
    for key in ("weight_hh_l0", "weight_ih_l1"):
        drawn = torch.split(model.get_parameter(key), 40)
        assert len(drawn) == gates
        for gate in drawn:
            torch.testing.assert_close(gate @ gate.T, torch.eye(40), atol=1e-5, rtol=0)
    initialize(model, "xavier")
    bound = math.sqrt(6 / (30 + 40))
    assert 0.95 * bound < float(model.get_parameter("weight_ih_l0").detach().abs().max()) <= bound
    assert all(torch.equal(model.get_parameter(key), value) for key, value in biases.items())
