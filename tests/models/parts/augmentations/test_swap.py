"""Swap: the same words, each at most one place from where it was."""

import numpy as np
import pytest
import torch

from models.nn.counter_rng import CounterRNG
from models.parts.augmentations.swap import Swap
from tests import small

ROWS = 4000


def _shown(p: float, x_BT: torch.Tensor) -> torch.Tensor:
    return Swap(p=p).build(small.SHAPES["text"])(x_BT, CounterRNG(0, 0, 0, torch.arange(len(x_BT))))


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_neighbors_change_places(p: float) -> None:
    words = 6
    lengths = np.random.default_rng(0).integers(1, words + 1, ROWS)
    x_BT = torch.arange(2, words + 2).repeat(ROWS, 1)
    x_BT[torch.from_numpy(np.arange(words) >= lengths[:, None])] = 0
    shown_BT = _shown(p, x_BT)
    assert torch.equal(shown_BT.sort(1).values, x_BT.sort(1).values), "the same words"
    assert torch.equal(shown_BT == 0, x_BT == 0), "the padding stays at the end"
    moved_BT = torch.where(x_BT == 0, 0, shown_BT - x_BT)
    assert moved_BT.abs().max() <= 1
    # A pair begins at each place with one half, and is swapped with p.
    for place in range(words - 1):
        here = moved_BT[:, place][torch.from_numpy(lengths > place + 1)] == 1
        assert float(here.double().mean()) == pytest.approx(p / 2, abs=4 * (0.25 / len(here)) ** 0.5)


def test_every_pair_at_once() -> None:
    x_BT = torch.tensor([2, 3, 4, 5, 6]).repeat(50, 1)
    assert {tuple(row) for row in _shown(1.0, x_BT).tolist()} == {(3, 2, 5, 4, 6), (2, 4, 3, 6, 5)}


def test_a_sentence_of_one_word() -> None:
    x_BT = torch.tensor([[7, 0, 0]]).repeat(20, 1)
    assert torch.equal(_shown(1.0, x_BT), x_BT)
    assert torch.equal(_shown(1.0, x_BT[:, :1]), x_BT[:, :1])
