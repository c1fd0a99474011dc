"""Mixup."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class Mixup(Augmentation):
    """Mixes an example with another one, and their losses in the same ratio.

    Shapes: x_BCHW to x_BCHW, or x_BF to x_BF. Zhang et al. 2018: lambda · x + (1 − lambda) · x', with lambda from
    Beta(alpha, alpha) for each example. The partner x' is any example of the training part. Training accuracy counts
    the target with the larger share.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image", "vector"})
    mixes: ClassVar[bool] = True

    kind: Literal["mixup"] = "mixup"
    alpha: float = Field(
        0.2,
        ge=0.01,
        le=100,
        description="of Beta(alpha, alpha); near 0: almost all of one example; 1: uniform; large: half of each",
    )
    p: float = Field(1.0, ge=0, le=1, description="probability that an example is changed")

    def build(self, inputs: Inputs) -> Transform:
        def transform(x_B: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            lambda_B = rng.beta(self.alpha)
            keep_B = torch.where(rng.uniform() < self.p, lambda_B, torch.ones_like(lambda_B))
            return keep_B.reshape(-1, *[1] * len(inputs.shape))

        return transform
