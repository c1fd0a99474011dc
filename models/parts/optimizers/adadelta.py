"""Adadelta."""

from typing import Literal

import torch
from pydantic import Field
from torch.optim.optimizer import ParamsT

from models.parts.optimizer import Optimizer


class Adadelta(Optimizer):
    """Steps scaled by running means of squared gradients and squared steps (Zeiler 2012)."""

    kind: Literal["adadelta"] = "adadelta"
    lr: float = Field(1.0, gt=0, le=1000, description="learning rate at the top of the schedule")
    rho: float = Field(0.9, ge=0, lt=1, description="decay of both running means")
    eps: float = Field(1e-6, gt=0, le=1, description="added under both roots; it sets the size of the first steps")

    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        return torch.optim.Adadelta(
            parameters, lr=self.lr, rho=self.rho, eps=self.eps, weight_decay=self.weight_decay, foreach=True
        )
