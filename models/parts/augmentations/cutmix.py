"""CutMix."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.nn.images import box_mask
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class CutMix(Augmentation):
    """Replaces a box of an image by the same box of another image, and weighs both targets by their share of the area.

    Shapes: x_BCHW to x_BCHW. Yun et al. 2019: the box has the aspect ratio of the image and a uniform center, and is
    clipped to the image; before clipping, 1 − its share of the area has the distribution Beta(alpha, alpha). The other
    image is any one of the training part. Training accuracy counts the target with the larger share.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})
    mixes: ClassVar[bool] = True

    kind: Literal["cutmix"] = "cutmix"
    alpha: float = Field(
        1.0,
        ge=0.01,
        le=100,
        description="of Beta(alpha, alpha); near 0: almost none or all of the area; 1: uniform; large: half of it",
    )
    p: float = Field(0.5, ge=0, le=1, description="probability that an example is changed")

    def build(self, inputs: Inputs) -> Transform:
        height, width = inputs.shape[1:]

        def transform(x_BCHW: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            side_B = (1 - rng.beta(self.alpha)).sqrt()
            u_B, y_B, x_B = rng.uniform(3).unbind(1)
            side_B = torch.where(u_B < self.p, side_B, torch.zeros_like(side_B))
            height_B, width_B = (side_B * height).floor(), (side_B * width).floor()
            top_B = (y_B * height).floor() - (height_B / 2).floor()
            left_B = (x_B * width).floor() - (width_B / 2).floor()
            return 1 - box_mask(x_BCHW, top_B, left_B, height_B, width_B).to(x_BCHW.dtype)

        return transform
