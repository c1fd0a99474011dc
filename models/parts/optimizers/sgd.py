"""Stochastic gradient descent."""

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch.optim.optimizer import ParamsT

from models.parts.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent on mini-batches, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013)."""

    kind: Literal["sgd"] = "sgd"
    lr: float = Field(0.05, gt=0, le=1000, description="learning rate at the top of the schedule")
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last step that the next one keeps")
    nesterov: bool = Field(False, description="use Nesterov momentum")

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGD":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    @property
    def states(self) -> int:
        return 1 if self.momentum else 0

    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=True,
        )
