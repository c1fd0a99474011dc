"""Shift."""

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator

from models.errors import SpecError
from models.nn.counter_rng import CounterRNG
from models.nn.images import Border, translate
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class Shift(Augmentation):
    """Moves an image vertically and horizontally by whole pixels, each uniform between −n and n.

    Shapes: x_BCHW to x_BCHW. n is `pixels`, or `share` times the height or the width, rounded. Simard, Steinkraus
    and Platt 2003.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["shift"] = "shift"
    pixels: int | None = Field(None, ge=0, le=4096, description="largest distance in pixels")
    share: float | None = Field(
        None, ge=0, le=1, description="largest distance as a share of the size; default 0.1 without pixels"
    )
    border: Border = Field(
        "edge", description="how to fill the border: with the edge pixels, the mirrored image, or the mean color"
    )

    @model_validator(mode="after")
    def _one_distance(self) -> "Shift":
        if self.pixels is not None and self.share is not None:
            raise ValueError("give pixels or share, not both")
        return self

    def build(self, inputs: Inputs) -> Transform:
        down, right = (self._largest(size) for size in inputs.shape[1:])
        if self.pixels is not None and self.pixels >= min(inputs.shape[1:]):
            raise SpecError(
                "/pixels",
                f"this can move the whole image of {inputs.shape[1]} × {inputs.shape[2]} pixels out of view",
                suggestion=f"at most {min(inputs.shape[1:]) - 1}",
            )

        def transform(x_BCHW: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            u_B, v_B = rng.uniform(2).unbind(1)
            return translate(
                x_BCHW,
                (u_B * (2 * down + 1)).long() - down,
                (v_B * (2 * right + 1)).long() - right,
                self.border,
            )

        return transform

    def _largest(self, size: int) -> int:
        return round((0.1 if self.share is None else self.share) * size) if self.pixels is None else self.pixels
