"""Shift against numpy's padding and slicing."""

from typing import Any

import numpy as np
import pytest
import torch

from models.errors import SpecError
from models.nn.counter_rng import CounterRNG
from models.parts.architecture import Inputs
from models.parts.augmentations.shift import Shift

INPUTS = Inputs("image", (2, 5, 9))
MODES: list[tuple[str, dict[str, Any]]] = [
    ("edge", {"mode": "edge"}),
    ("mirror", {"mode": "symmetric"}),
    ("mean", {"mode": "constant", "constant_values": 0.0}),
]


def _shown(shift: Shift, rows: int, inputs: Inputs = INPUTS) -> tuple[torch.Tensor, torch.Tensor]:
    x_BCHW = torch.randn(rows, *inputs.shape, generator=torch.Generator().manual_seed(0))
    return x_BCHW, shift.build(inputs)(x_BCHW, CounterRNG(0, 0, 0, torch.arange(rows)))


@pytest.mark.parametrize(("border", "padding"), MODES, ids=[border for border, _ in MODES])
def test_every_image_is_moved_as_numpy_moves_it(border: Any, padding: dict[str, Any]) -> None:
    x_BCHW, shifted_BCHW = _shown(Shift(pixels=3, border=border), 600)
    counts: dict[tuple[int, int], int] = {}
    for x_CHW, shifted_CHW in zip(x_BCHW.numpy(), shifted_BCHW.numpy(), strict=True):
        wide = np.pad(x_CHW, ((0, 0), (3, 3), (3, 3)), **padding)
        (found,) = [
            (down, right)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if np.array_equal(wide[:, 3 - down : 8 - down, 3 - right : 12 - right], shifted_CHW)
        ]
        counts[found] = counts.get(found, 0) + 1
    assert len(counts) == 49
    expected = 600 / 49
    # Chi-square with 48 degrees of freedom: above 84.0 once in a thousand times.
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 84.0


def test_without_a_border_in_sight_it_is_a_roll() -> None:
    x_BCHW = torch.zeros(50, 1, 9, 9)
    x_BCHW[:, :, 3:6, 3:6] = torch.arange(1.0, 10).reshape(3, 3)
    shifted_BCHW = Shift(pixels=3).build(Inputs("image", (1, 9, 9)))(x_BCHW, CounterRNG(0, 0, 0, torch.arange(50)))
    rolled = [np.roll(x_BCHW[0, 0].numpy(), (down, right), (0, 1)) for down in range(-3, 4) for right in range(-3, 4)]
    for image in shifted_BCHW[:, 0].numpy():
        assert any(np.array_equal(image, each) for each in rolled)


def test_a_share_is_of_each_side() -> None:
    _, shifted_BCHW = _shown(Shift(share=0.2, border="mean"), 400)
    # A fifth of 5 rows is one, of 9 columns is 2.
    empty = [(shifted_BCHW == 0).all(dimension).all(1).sum(1) for dimension in (3, 2)]
    assert [int(each.max()) for each in empty] == [1, 2]


def test_the_default_is_a_tenth() -> None:
    _, shifted_BCHW = _shown(Shift(border="mean"), 400, Inputs("image", (1, 28, 28)))
    assert int((shifted_BCHW == 0).all(3).all(1).sum(1).max()) == 3


def test_none_is_none() -> None:
    x_BCHW, shifted_BCHW = _shown(Shift(pixels=0), 4)
    assert torch.equal(x_BCHW, shifted_BCHW)


def test_what_leaves_nothing_is_refused() -> None:
    with pytest.raises(SpecError) as refused:
        Shift(pixels=5).build(INPUTS)
    assert refused.value.pointer == "/pixels"
    with pytest.raises(ValueError, match="pixels or share, not both"):
        Shift(pixels=1, share=0.1)
