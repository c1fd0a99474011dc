"""Adagrad."""

from typing import Literal

import torch
from pydantic import Field
from torch.optim.optimizer import ParamsT

from models.parts.optimizer import Optimizer


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients so far (Duchi, Hazan and Singer 2011)."""

    kind: Literal["adagrad"] = "adagrad"
    lr: float = Field(0.01, gt=0, le=1000, description="learning rate at the top of the schedule")
    initial: float = Field(0.0, ge=0, le=1000, description="initial value of every sum of squares")
    eps: float = Field(1e-10, gt=0, le=1, description="added to the divisor, so that it is never 0")

    @property
    def states(self) -> int:
        return 1

    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(
            parameters,
            lr=self.lr,
            initial_accumulator_value=self.initial,
            eps=self.eps,
            weight_decay=self.weight_decay,
            foreach=True,
        )
