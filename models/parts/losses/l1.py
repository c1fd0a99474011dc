"""Mean absolute error."""

from typing import ClassVar, Literal

import torch
from torch.nn import functional as F

from models.parts.loss import Criterion, Loss


class L1(Loss):
    """Mean absolute error, in standard deviations of the training targets.

    Shapes: y_B1 and values t_B to a scalar. The minimum is at the median (Koenker and Bassett 1978).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})

    kind: Literal["l1"] = "l1"

    def build(self) -> Criterion:
        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            return F.l1_loss(y_BK.squeeze(1), t_B)

        return criterion
