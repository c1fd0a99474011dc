"""CutMix."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.nn.images import box
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class CutMix(Augmentation):
    """A box of an image shows another image, and its loss is the sum of both losses by their share of the area.

    Shapes: x_BCHW to x_BCHW. Yun et al. 2019: the box has the image's proportions, its middle lies anywhere, and what
    reaches beyond the image is cut off; 1 − its share of the area is drawn from Beta(alpha, alpha) before that. The
    other image is drawn from the whole training part. Accuracy in training is measured by the target with the larger
    share.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})
    mixes: ClassVar[bool] = True

    kind: Literal["cutmix"] = "cutmix"
    alpha: float = Field(1.0, ge=0.01, le=100, description="small: all or nothing; 1: all areas alike; large: half")
    p: float = Field(0.5, ge=0, le=1, description="probability")

    def build(self, inputs: Inputs) -> Change:
        height, width = inputs.shape[1:]

        def change(x_BCHW: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            side_B = (1 - draws.beta(self.alpha)).sqrt()
            u_B, y_B, x_B = draws.uniform(3).unbind(1)
            side_B = torch.where(u_B < self.p, side_B, torch.zeros_like(side_B))
            tall_B, wide_B = (side_B * height).floor(), (side_B * width).floor()
            top_B = (y_B * height).floor() - (tall_B / 2).floor()
            left_B = (x_B * width).floor() - (wide_B / 2).floor()
            return 1 - box(x_BCHW, top_B, left_B, tall_B, wide_B).to(x_BCHW.dtype)

        return change
