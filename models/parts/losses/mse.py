"""Mean squared error."""

from typing import ClassVar, Literal

import torch
from torch.nn import functional as F

from models.parts.loss import Criterion, Loss, Slope


class MSE(Loss):
    """Mean squared error, in squared standard deviations of the training targets.

    Shapes: y_B1 and values t_B to a scalar. The minimum is at the mean (Gauss 1809).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})

    kind: Literal["mse"] = "mse"

    def build(self) -> Criterion:
        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            return F.mse_loss(y_BK.squeeze(1), t_B)

        return criterion

    def slope(self) -> Slope | None:
        return _slope


def _slope(y_NK: torch.Tensor, t_N: torch.Tensor, scale_N: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    error_N = y_NK.squeeze(1) - t_N
    return error_N.square(), (2 * scale_N * error_N).unsqueeze(1)
