"""Flip."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class Flip(Augmentation):
    """Mirrors an image: left and right change places, or top and bottom.

    Shapes: x_BCHW to x_BCHW. Krizhevsky, Sutskever and Hinton 2012. Not for what has a handedness, such as writing.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["flip"] = "flip"
    axis: Literal["horizontal", "vertical"] = Field(
        "horizontal", description="horizontal: left and right change places; vertical: top and bottom"
    )
    p: float = Field(0.5, ge=0, le=1, description="probability")

    def build(self, inputs: Inputs) -> Change:
        dimension = 3 if self.axis == "horizontal" else 2

        def change(x_BCHW: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            flipped_B111 = (draws.uniform() < self.p)[:, None, None, None]
            return torch.where(flipped_B111, x_BCHW.flip(dimension), x_BCHW)

        return change
