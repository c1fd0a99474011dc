"""Mixup."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class Mixup(Augmentation):
    """An example becomes a share of itself and for the rest another, and its loss that share of the two losses.

    Shapes: x_BCHW to x_BCHW, or x_BF to x_BF. Zhang et al. 2018: share · x + (1 − share) · x', where the share is drawn
    from Beta(alpha, alpha) for each example. The partner x' is drawn from the whole training part. Accuracy in training
    is measured by the target with the larger share.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image", "vector"})
    mixes: ClassVar[bool] = True

    kind: Literal["mixup"] = "mixup"
    alpha: float = Field(0.2, ge=0.01, le=100, description="small: nearly all of one; 1: all shares alike; large: half")
    p: float = Field(1.0, ge=0, le=1, description="probability")

    def build(self, inputs: Inputs) -> Change:
        def change(x_B: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            share_B = draws.beta(self.alpha)
            keep_B = torch.where(draws.uniform() < self.p, share_B, torch.ones_like(share_B))
            return keep_B.reshape(-1, *[1] * len(inputs.shape))

        return change
