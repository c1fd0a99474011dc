"""Multi-class hinge loss."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.parts.loss import Criterion, Loss


class Hinge(Loss):
    """How much the true class's score lacks to exceed all others by `margin` (Crammer and Singer 2001).

    Shapes: y_BK and class numbers t_B to a scalar, the mean over rows of max(0, margin + max of y_j, j ≠ t, − y_t).
    With `linear` and `weight_decay` it is a support vector machine. The outputs are scores: their softmax, which a
    prediction shows as probabilities, is not calibrated.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})

    kind: Literal["hinge"] = "hinge"
    margin: float = Field(1.0, gt=0, le=1e6, description="lead of the true class at which the loss becomes 0")

    def build(self) -> Criterion:
        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            t_B1 = t_B.unsqueeze(1)
            true_B = y_BK.gather(1, t_B1).squeeze(1)
            best_B = y_BK.scatter(1, t_B1, -math.inf).amax(1)
            return torch.relu(self.margin + best_B - true_B).mean()

        return criterion
