"""Shift."""

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator

from models.errors import SpecError
from models.nn.counter_rng import CounterRNG
from models.nn.images import Border, moved
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class Shift(Augmentation):
    """Moves an image down and right by whole pixels, each drawn evenly from −n to n.

    Shapes: x_BCHW to x_BCHW. n is `pixels`, or that share of the height and of the width, rounded. Simard, Steinkraus
    and Platt 2003.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["shift"] = "shift"
    pixels: int | None = Field(None, ge=0, le=4096, description="the furthest, in pixels")
    share: float | None = Field(None, ge=0, le=1, description="the furthest, of the size; default 0.1 without pixels")
    border: Border = Field("edge", description="what comes in: the edge's pixels, the image mirrored, the mean color")

    @model_validator(mode="after")
    def _one_distance(self) -> "Shift":
        if self.pixels is not None and self.share is not None:
            raise ValueError("give pixels or share, not both")
        return self

    def build(self, inputs: Inputs) -> Change:
        down, right = (self._furthest(size) for size in inputs.shape[1:])
        if self.pixels is not None and self.pixels >= min(inputs.shape[1:]):
            raise SpecError(
                "/pixels",
                f"nothing is left of an image of {inputs.shape[1]} × {inputs.shape[2]}",
                suggestion=f"at most {min(inputs.shape[1:]) - 1}",
            )

        def change(x_BCHW: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            u_B, v_B = draws.uniform(2).unbind(1)
            return moved(
                x_BCHW,
                (u_B * (2 * down + 1)).long() - down,
                (v_B * (2 * right + 1)).long() - right,
                self.border,
            )

        return change

    def _furthest(self, size: int) -> int:
        return round((0.1 if self.share is None else self.share) * size) if self.pixels is None else self.pixels
