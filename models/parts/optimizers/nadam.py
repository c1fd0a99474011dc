"""NAdam."""

from typing import Literal

import torch
from pydantic import Field
from torch.optim.optimizer import ParamsT

from models.parts.optimizer import Optimizer


class NAdam(Optimizer):
    """Adam with Nesterov momentum (Dozat 2016); weight decay is an L2 term in the gradient.

    The decay of the mean grows towards `beta1`: at step t it is beta1 · (1 − 0.96^(t · momentum_decay) / 2).
    """

    kind: Literal["nadam"] = "nadam"
    lr: float = Field(2e-3, gt=0, le=1000, description="learning rate at the top of the schedule")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the mean of squared gradients")
    momentum_decay: float = Field(4e-3, ge=0, le=1, description="how fast the decay of the mean grows")
    eps: float = Field(1e-8, gt=0, le=1, description="added to the divisor, so that it is never 0")

    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        return torch.optim.NAdam(
            parameters,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            momentum_decay=self.momentum_decay,
            eps=self.eps,
            weight_decay=self.weight_decay,
            foreach=True,
        )
