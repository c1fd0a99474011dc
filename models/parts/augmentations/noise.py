"""Noise."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class Noise(Augmentation):
    """Adds normal noise to every number, scaled to the standard deviation of its channel or column.

    Shapes: x_BCHW to x_BCHW, or x_BF to x_BF. Bishop 1995, "Training with Noise is Equivalent to Tikhonov
    Regularization".
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image", "vector"})

    kind: Literal["noise"] = "noise"
    std: float = Field(
        0.1, ge=0, le=100, description="standard deviation of the noise; inputs have standard deviation 1"
    )

    def build(self, inputs: Inputs) -> Transform:
        def transform(x_B: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            return x_B + self.std * rng.normal(*inputs.shape)

        return transform
