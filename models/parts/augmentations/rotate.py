"""Rotation."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import functional as F

from models.nn.counter_rng import CounterRNG
from models.nn.images import Border
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform

_PADDING = {"edge": "border", "mirror": "reflection", "mean": "zeros"}


class Rotate(Augmentation):
    """Rotates an image about its center by a uniform angle between −degrees and degrees.

    Shapes: x_BCHW to x_BCHW, by bilinear interpolation. Simard, Steinkraus and Platt 2003.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["rotate"] = "rotate"
    degrees: float = Field(15.0, ge=0, le=180, description="the largest angle")
    border: Border = Field(
        "edge", description="how to fill the corners: with the edge pixels, the mirrored image, or the mean color"
    )

    def build(self, inputs: Inputs) -> Transform:
        def transform(x_BCHW: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            return rotated(x_BCHW, (2 * rng.uniform().double() - 1) * math.radians(self.degrees), self.border)

        return transform


def rotated(x_BCHW: torch.Tensor, angle_B: torch.Tensor, border: Border) -> torch.Tensor:
    """Every image rotated counterclockwise by an angle in radians."""
    height, width = x_BCHW.shape[2:]
    # Sines and cosines in float64, and elementwise products: the bits do not depend on the batch.
    cos_B11, sin_B11 = angle_B.cos().float()[:, None, None], angle_B.sin().float()[:, None, None]
    y_H1 = (torch.arange(height, device=x_BCHW.device) + 0.5 - height / 2).unsqueeze(1)
    x_W = torch.arange(width, device=x_BCHW.device) + 0.5 - width / 2
    source_x_BHW = (cos_B11 * x_W - sin_B11 * y_H1) * (2 / width)
    source_y_BHW = (sin_B11 * x_W + cos_B11 * y_H1) * (2 / height)
    grid_BHW2 = torch.stack([source_x_BHW, source_y_BHW], 3)
    return F.grid_sample(x_BCHW, grid_BHW2, mode="bilinear", padding_mode=_PADDING[border], align_corners=False)
