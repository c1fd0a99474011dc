"""Flip."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class Flip(Augmentation):
    """Flips an image horizontally or vertically.

    Shapes: x_BCHW to x_BCHW. Krizhevsky, Sutskever and Hinton 2012. It does not suit images with a direction, such as
    writing.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["flip"] = "flip"
    axis: Literal["horizontal", "vertical"] = Field(
        "horizontal", description="horizontal exchanges left and right, vertical exchanges top and bottom"
    )
    p: float = Field(0.5, ge=0, le=1, description="probability that an example is changed")

    def build(self, inputs: Inputs) -> Transform:
        dimension = 3 if self.axis == "horizontal" else 2

        def transform(x_BCHW: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            flipped_B111 = (rng.uniform() < self.p)[:, None, None, None]
            return torch.where(flipped_B111, x_BCHW.flip(dimension), x_BCHW)

        return transform
