"""Binary cross-entropy."""

from typing import ClassVar, Literal

import torch
from torch.nn import functional as F

from models.parts.loss import Criterion, Loss


class BCE(Loss):
    """One logistic regression per class against all other classes, in nats: the mean over rows and classes.

    Shapes: y_BK and class numbers t_B to a scalar. Cox 1958.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "tagging"})

    kind: Literal["bce"] = "bce"

    def build(self) -> Criterion:
        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            return F.binary_cross_entropy_with_logits(y_BK, F.one_hot(t_B, y_BK.shape[1]).to(y_BK.dtype))

        return criterion
