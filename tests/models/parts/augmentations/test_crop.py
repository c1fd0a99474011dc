"""Random crop against numpy's padding and slicing."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import SpecError
from models.nn.counter_rng import CounterRNG
from models.parts.architecture import Inputs
from models.parts.augmentations.crop import Crop


@pytest.mark.parametrize(("border", "mode"), [("edge", "edge"), ("mirror", "symmetric"), ("mean", "constant")])
def test_every_crop_is_one_of_the_padded_image(border: Any, mode: Any) -> None:
    x_BCHW = torch.randn(500, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    change = Crop(padding=2, border=border).build(Inputs("image", (3, 6, 8)))
    cropped_BCHW = change(x_BCHW, CounterRNG(0, 0, 0, torch.arange(500)))
    corners: Counter[tuple[int, int]] = Counter()
    for x_CHW, cropped_CHW in zip(x_BCHW.numpy(), cropped_BCHW.numpy(), strict=True):
        padded = np.pad(x_CHW, ((0, 0), (2, 2), (2, 2)), mode=mode)
        (corner,) = [
            (top, left)
            for top in range(5)
            for left in range(5)
            if np.array_equal(padded[:, top : top + 6, left : left + 8], cropped_CHW)
        ]
        corners[corner] += 1
    assert len(corners) == 25
    # Chi-square with 24 degrees of freedom: above 51.2 once in a thousand times.
    assert sum((count - 20) ** 2 / 20 for count in corners.values()) < 51.2


def test_the_default_is_an_eighth() -> None:
    x_BCHW = torch.ones(300, 1, 32, 16)
    cropped = Crop(border="mean").build(Inputs("image", (1, 32, 16)))(x_BCHW, CounterRNG(0, 0, 0, torch.arange(300)))
    assert int((cropped == 0).all(3).sum(2).max()) == 4
    assert int((cropped == 0).all(2).sum(2).max()) == 2


def test_a_crop_that_could_miss_the_image_is_refused() -> None:
    with pytest.raises(SpecError) as refused:
        Crop(padding=8).build(Inputs("image", (1, 8, 9)))
    assert refused.value.pointer == "/padding"
