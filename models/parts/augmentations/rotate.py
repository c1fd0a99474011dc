"""Rotation."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import functional as F

from models.nn.counter_rng import CounterRNG
from models.nn.images import Border
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change

_PADDING = {"edge": "border", "mirror": "reflection", "mean": "zeros"}


class Rotate(Augmentation):
    """Turns an image about its middle by an angle drawn evenly from −degrees to degrees.

    Shapes: x_BCHW to x_BCHW, which looks at x between its pixels (bilinear). Simard, Steinkraus and Platt 2003.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["rotate"] = "rotate"
    degrees: float = Field(15.0, ge=0, le=180, description="the largest angle")
    border: Border = Field("edge", description="what comes in: the edge's pixels, the image mirrored, the mean color")

    def build(self, inputs: Inputs) -> Change:
        def change(x_BCHW: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            return turned(x_BCHW, (2 * draws.uniform().double() - 1) * math.radians(self.degrees), self.border)

        return change


def turned(x_BCHW: torch.Tensor, angle_B: torch.Tensor, border: Border) -> torch.Tensor:
    """Every image turned counter-clockwise, by radians."""
    height, width = x_BCHW.shape[2:]
    # In float64, and by plain products: the same bits in every batch.
    cos_B11, sin_B11 = angle_B.cos().float()[:, None, None], angle_B.sin().float()[:, None, None]
    y_H1 = (torch.arange(height, device=x_BCHW.device) + 0.5 - height / 2).unsqueeze(1)
    x_W = torch.arange(width, device=x_BCHW.device) + 0.5 - width / 2
    from_x_BHW = (cos_B11 * x_W - sin_B11 * y_H1) * (2 / width)
    from_y_BHW = (sin_B11 * x_W + cos_B11 * y_H1) * (2 / height)
    grid_BHW2 = torch.stack([from_x_BHW, from_y_BHW], 3)
    return F.grid_sample(x_BCHW, grid_BHW2, mode="bilinear", padding_mode=_PADDING[border], align_corners=False)
