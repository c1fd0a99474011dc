"""Random erasing."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator

from models.nn.counter_rng import CounterRNG
from models.nn.images import box_mask
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class Erase(Augmentation):
    """Erases a random box of an image.

    Shapes: x_BCHW to x_BCHW. Zhong et al. 2020; the area and the logarithm of the aspect ratio are uniform, and a side
    longer than the image is clipped. With `p` = 1, `smallest` = `largest` and `ratio` = 1 it is the cutout of DeVries
    and Taylor 2017, except that boxes stay inside the image.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["erase"] = "erase"
    p: float = Field(0.5, ge=0, le=1, description="probability that an example is changed")
    smallest: float = Field(0.02, gt=0, le=1, description="smallest area, as a share of the image")
    largest: float = Field(0.33, gt=0, le=1, description="largest area, as a share of the image")
    ratio: float = Field(3.3, ge=1, le=100, description="largest ratio of the longer side to the shorter one")
    fill: Literal["mean", "noise"] = Field("mean", description="what replaces the box: the mean color, or normal noise")

    @model_validator(mode="after")
    def _smallest_first(self) -> "Erase":
        if self.smallest > self.largest:
            raise ValueError(f"smallest = {self.smallest:g} is more than largest = {self.largest:g}")
        return self

    def build(self, inputs: Inputs) -> Transform:
        height, width = inputs.shape[1:]

        def transform(x_BCHW: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            u_B5 = rng.uniform(5).double()
            area_B = (self.smallest + (self.largest - self.smallest) * u_B5[:, 1]) * (height * width)
            ratio_B = torch.exp((2 * u_B5[:, 2] - 1) * math.log(self.ratio))
            height_B = (area_B * ratio_B).sqrt().round().clamp(1, height)
            width_B = (area_B / ratio_B).sqrt().round().clamp(1, width)
            top_B = (u_B5[:, 3] * (height - height_B + 1)).floor()
            left_B = (u_B5[:, 4] * (width - width_B + 1)).floor()
            erased_B1HW = (
                box_mask(x_BCHW, top_B, left_B, height_B, width_B) & (u_B5[:, 0] < self.p)[:, None, None, None]
            )
            if self.fill == "mean":
                return x_BCHW.masked_fill(erased_B1HW, 0.0)
            return torch.where(erased_B1HW, rng.normal(*inputs.shape), x_BCHW)

        return transform
