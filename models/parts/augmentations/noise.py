"""Noise."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class Noise(Augmentation):
    """Adds normal noise to every number, in standard deviations of its channel or column.

    Shapes: x_BCHW to x_BCHW, or x_BF to x_BF. Bishop 1995, "Training with Noise is Equivalent to Tikhonov
    Regularization".
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image", "vector"})

    kind: Literal["noise"] = "noise"
    std: float = Field(0.1, ge=0, le=100, description="standard deviation, where that of the inputs is 1")

    def build(self, inputs: Inputs) -> Change:
        def change(x_B: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            return x_B + self.std * draws.normal(*inputs.shape)

        return change
