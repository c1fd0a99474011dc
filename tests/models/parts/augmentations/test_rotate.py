"""Rotation against quarter turns, and a bilinear one written out."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import Inputs
from models.parts.augmentations.rotate import Rotate, rotated


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2])
@pytest.mark.parametrize("border", ["edge", "mirror", "mean"])
def test_quarter_turns(quarters: int, border: Any) -> None:
    x_BCHW = torch.randn(3, 2, 7, 7, generator=torch.Generator().manual_seed(0))
    found = rotated(x_BCHW, torch.full((3,), quarters * math.pi / 2, dtype=torch.float64), border)
    torch.testing.assert_close(found, torch.rot90(x_BCHW, quarters, (2, 3)), atol=1e-5, rtol=0)


def _by_hand(x_HW: npt.NDArray[np.float64], angle: float, border: str) -> npt.NDArray[np.float64]:
    """Every pixel of the rotated image looks back at where it came from, between four others."""
    height, width = x_HW.shape

    def pixel(i: int, j: int) -> float:
        if border == "mean" and not (0 <= i < height and 0 <= j < width):
            return 0.0
        return float(x_HW[min(max(i, 0), height - 1), min(max(j, 0), width - 1)])

    found = np.zeros_like(x_HW)
    for i in range(height):
        for j in range(width):
            # Upwards and to the right from the middle; a counter-clockwise turn comes from clockwise of it.
            up, right = (height - 1) / 2 - i, j - (width - 1) / 2
            from_right = right * math.cos(angle) + up * math.sin(angle)
            from_up = -right * math.sin(angle) + up * math.cos(angle)
            y, x = (height - 1) / 2 - from_up, from_right + (width - 1) / 2
            top, left = math.floor(y), math.floor(x)
            for row, weight_y in ((top, 1 - (y - top)), (top + 1, y - top)):
                for column, weight_x in ((left, 1 - (x - left)), (left + 1, x - left)):
                    found[i, j] += weight_y * weight_x * pixel(row, column)
    return found


@pytest.mark.parametrize("border", ["edge", "mean"])
@pytest.mark.parametrize("degrees", [-170.0, -20.0, 7.0, 45.0, 100.0])
def test_any_turn_of_an_image_that_is_not_square(border: Any, degrees: float) -> None:
    x_HW = np.random.default_rng(0).standard_normal((6, 9))
    angle = math.radians(degrees)
    found = rotated(torch.from_numpy(x_HW).float()[None, None], torch.tensor([angle], dtype=torch.float64), border)
    np.testing.assert_allclose(found[0, 0].numpy(), _by_hand(x_HW, angle, border), atol=1e-5)


def test_angles_are_even_between_their_ends() -> None:
    rows = 2000
    # Left and right of the middle column the brightness rises: rotated, its slope shows the sine of the angle.
    ramp_HW = (torch.arange(21.0) - 10).expand(21, 21)
    shown = Rotate(degrees=40).build(Inputs("image", (1, 21, 21)))(
        ramp_HW.expand(rows, 1, 21, 21), CounterRNG(0, 0, 0, torch.arange(rows))
    )
    angle_B = torch.rad2deg(torch.atan2((shown[:, 0, 8, 10] - shown[:, 0, 12, 10]) / 4, shown[:, 0, 10, 12] / 2))
    assert angle_B.abs().max() <= 40.01
    counts = np.bincount(((angle_B + 40) / 80 * 16).long().clamp(0, 15).numpy(), minlength=16)
    # Chi-square with 15 degrees of freedom: above 37.7 once in a thousand times.
    assert ((counts - rows / 16) ** 2 / (rows / 16)).sum() < 37.7
