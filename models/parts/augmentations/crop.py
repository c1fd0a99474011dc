"""Random crop."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.errors import SpecError
from models.nn.counter_rng import CounterRNG
from models.nn.images import Border, moved
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class Crop(Augmentation):
    """Pads an image on every side and cuts one of its size out again, anywhere.

    Shapes: x_BCHW to x_BCHW. He et al. 2016, section 4.2, with 4 pixels around 32: the eighth that is the default.
    They pad with the mean color, after its subtraction.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})

    kind: Literal["crop"] = "crop"
    padding: int | None = Field(None, ge=0, le=4096, description="pixels on each side; default: an eighth of the size")
    border: Border = Field("edge", description="what is padded: the edge's pixels, the image mirrored, the mean color")

    def build(self, inputs: Inputs) -> Change:
        tall, wide = (size // 8 if self.padding is None else self.padding for size in inputs.shape[1:])
        if self.padding is not None and self.padding >= min(inputs.shape[1:]):
            raise SpecError(
                "/padding",
                f"a crop could miss an image of {inputs.shape[1]} × {inputs.shape[2]}",
                suggestion=f"at most {min(inputs.shape[1:]) - 1}",
            )

        def change(x_BCHW: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            u_B, v_B = draws.uniform(2).unbind(1)
            # To cut at (top, left) is to move the image by the padding less that.
            top_B, left_B = (u_B * (2 * tall + 1)).long(), (v_B * (2 * wide + 1)).long()
            return moved(x_BCHW, tall - top_B, wide - left_B, self.border)

        return change
