"""Gradient descent."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.optim.optimizer import ParamsT

from models.parts.optimizer import Optimizer


class GD(Optimizer):
    """Steps against the gradient of the whole training part (Cauchy 1847): one step an epoch.

    `batch_size` is ignored. A training part larger than the largest batch is refused; `sgd` without momentum applies
    the same rule to mini-batches.
    """

    full_batch: ClassVar[bool] = True

    kind: Literal["gd"] = "gd"
    lr: float = Field(0.1, gt=0, le=1000, description="learning rate at the top of the schedule")

    @property
    def states(self) -> int:
        return 0

    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=self.lr, weight_decay=self.weight_decay, fused=True)
