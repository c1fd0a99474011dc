"""Huber's loss."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import functional as F

from models.parts.loss import Criterion, Loss


class Huber(Loss):
    """Half the squared error for errors up to `delta`, and a straight line of slope `delta` beyond (Huber 1964).

    Shapes: y_B1 and values t_B to a scalar.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})

    kind: Literal["huber"] = "huber"
    delta: float = Field(
        1.0, gt=0, le=1e6, description="error from which the loss is linear, in standard deviations of the targets"
    )

    def build(self) -> Criterion:
        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            return F.huber_loss(y_BK.squeeze(1), t_B, delta=self.delta)

        return criterion
