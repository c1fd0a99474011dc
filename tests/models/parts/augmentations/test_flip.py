"""Flip against numpy's."""

from typing import Any

import numpy as np
import pytest
import torch

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import Inputs
from models.parts.augmentations.flip import Flip


@pytest.mark.parametrize(("axis", "turned"), [("horizontal", np.fliplr), ("vertical", np.flipud)])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_a_share_of_images_is_mirrored(axis: Any, turned: Any, p: float) -> None:
    x_BCHW = torch.randn(2000, 1, 3, 4, generator=torch.Generator().manual_seed(0))
    shown_BCHW = Flip(axis=axis, p=p).build(Inputs("image", (1, 3, 4)))(x_BCHW, CounterRNG(0, 0, 0, torch.arange(2000)))
    flipped = 0
    for x_HW, shown_HW in zip(x_BCHW[:, 0].numpy(), shown_BCHW[:, 0].numpy(), strict=True):
        mirrored = np.array_equal(shown_HW, turned(x_HW))
        assert mirrored or np.array_equal(shown_HW, x_HW)
        flipped += mirrored
    # Four standard errors.
    assert flipped / 2000 == pytest.approx(p, abs=4 * (p * (1 - p) / 2000) ** 0.5)
