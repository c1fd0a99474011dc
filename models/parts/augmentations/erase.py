"""Random erasing."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator

from models.nn.counter_rng import CounterRNG
from models.nn.images import box
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class Erase(Augmentation):
    """Hides a box somewhere in an image.

    Shapes: x_BCHW to x_BCHW. Zhong et al. 2020; the box's area and the logarithm of its sides' ratio are drawn evenly,
    and a side longer than the image is cut to it. With `p` = 1, one area and `ratio` = 1 it is the cutout of DeVries
    and Taylor 2017, but for boxes that would reach beyond the image.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["erase"] = "erase"
    p: float = Field(0.5, ge=0, le=1, description="probability")
    smallest: float = Field(0.02, gt=0, le=1, description="least area, of the image's")
    largest: float = Field(0.33, gt=0, le=1, description="greatest area, of the image's")
    ratio: float = Field(3.3, ge=1, le=100, description="how many times longer one side may be than the other")
    fill: Literal["mean", "noise"] = Field("mean", description="what is put there: the mean color, or normal noise")

    @model_validator(mode="after")
    def _smallest_first(self) -> "Erase":
        if self.smallest > self.largest:
            raise ValueError(f"smallest = {self.smallest:g} is more than largest = {self.largest:g}")
        return self

    def build(self, inputs: Inputs) -> Change:
        height, width = inputs.shape[1:]

        def change(x_BCHW: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            u_B5 = draws.uniform(5).double()
            area_B = (self.smallest + (self.largest - self.smallest) * u_B5[:, 1]) * (height * width)
            ratio_B = torch.exp((2 * u_B5[:, 2] - 1) * math.log(self.ratio))
            tall_B = (area_B * ratio_B).sqrt().round().clamp(1, height)
            wide_B = (area_B / ratio_B).sqrt().round().clamp(1, width)
            top_B = (u_B5[:, 3] * (height - tall_B + 1)).floor()
            left_B = (u_B5[:, 4] * (width - wide_B + 1)).floor()
            hidden_B1HW = box(x_BCHW, top_B, left_B, tall_B, wide_B) & (u_B5[:, 0] < self.p)[:, None, None, None]
            if self.fill == "mean":
                return x_BCHW.masked_fill(hidden_B1HW, 0.0)
            return torch.where(hidden_B1HW, draws.normal(*inputs.shape), x_BCHW)

        return change
