"""RMSprop."""

from typing import Literal

import torch
from pydantic import Field
from torch.optim.optimizer import ParamsT

from models.parts.optimizer import Optimizer


class RMSprop(Optimizer):
    """Gradients divided by the root of a running mean of their squares (Tieleman and Hinton 2012, lecture 6.5).

    `centered` divides by the running standard deviation instead (Graves 2013).
    """

    kind: Literal["rmsprop"] = "rmsprop"
    lr: float = Field(1e-3, gt=0, le=1000, description="learning rate at the top of the schedule")
    alpha: float = Field(0.99, ge=0, lt=1, description="decay of the running means")
    momentum: float = Field(0.0, ge=0, lt=1, description="share of the last step that the next one keeps")
    centered: bool = Field(False, description="subtract the square of the mean gradient from the mean square")
    eps: float = Field(1e-8, gt=0, le=1, description="added to the divisor, so that it is never 0")

    @property
    def states(self) -> int:
        return 1 + (self.momentum > 0) + self.centered

    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            parameters,
            lr=self.lr,
            alpha=self.alpha,
            momentum=self.momentum,
            centered=self.centered,
            eps=self.eps,
            weight_decay=self.weight_decay,
            foreach=True,
        )
