"""RAdam."""

from typing import Literal

import torch
from pydantic import Field
from torch.optim.optimizer import ParamsT

from models.parts.optimizer import Optimizer


class RAdam(Optimizer):
    """Adam with smaller first steps, while the estimate of the mean square is uncertain (Liu et al. 2020).

    Weight decay is an L2 term in the gradient.
    """

    kind: Literal["radam"] = "radam"
    lr: float = Field(1e-3, gt=0, le=1000, description="learning rate at the top of the schedule")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the mean of squared gradients")
    eps: float = Field(1e-8, gt=0, le=1, description="added to the divisor, so that it is never 0")

    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        return torch.optim.RAdam(
            parameters,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
            foreach=True,
        )
