"""Random crop."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.errors import SpecError
from models.nn.counter_rng import CounterRNG
from models.nn.images import Border, translate
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class Crop(Augmentation):
    """Pads an image on every side and crops it at a random position to its own size.

    Shapes: x_BCHW to x_BCHW. He et al. 2016, section 4.2, pad 32 pixels by 4, an eighth, the default here. They pad
    with the mean color.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["crop"] = "crop"
    padding: int | None = Field(None, ge=0, le=4096, description="pixels on each side; default: an eighth of the size")
    border: Border = Field(
        "edge", description="how to pad: with the edge pixels, the mirrored image, or the mean color"
    )

    def build(self, inputs: Inputs) -> Transform:
        pad_y, pad_x = (size // 8 if self.padding is None else self.padding for size in inputs.shape[1:])
        if self.padding is not None and self.padding >= min(inputs.shape[1:]):
            raise SpecError(
                "/padding",
                f"with this padding a crop could miss the image of {inputs.shape[1]} × {inputs.shape[2]} pixels",
                suggestion=f"at most {min(inputs.shape[1:]) - 1}",
            )

        def transform(x_BCHW: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            u_B, v_B = rng.uniform(2).unbind(1)
            # A crop at (top, left) is a translation by the padding minus (top, left).
            top_B, left_B = (u_B * (2 * pad_y + 1)).long(), (v_B * (2 * pad_x + 1)).long()
            return translate(x_BCHW, pad_y - top_B, pad_x - left_B, self.border)

        return transform
