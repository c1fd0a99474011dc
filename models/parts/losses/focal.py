"""Focal loss."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import functional as F

from models.parts.loss import Criterion, Loss, class_weights


class Focal(Loss):
    """Cross-entropy that gives less weight to rows with a high p_t: −(1 − p_t)^gamma · log p_t, in nats.

    Shapes: y_BK and class numbers t_B to a scalar; p_t is the softmax probability of the true class. With
    gamma = 0 it is `cross_entropy`. Lin et al. 2017, with a softmax instead of sigmoids and `class_weights` for alpha.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})

    kind: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0, le=10, description="how strongly rows with a high p_t are reduced")
    class_weights: Literal["balanced"] | None = Field(
        None, description="balanced: a class with n of the N training rows, of K classes, has the weight N / (K n)"
    )

    def build(self, counts_K: torch.Tensor | None = None) -> Criterion:
        w_K = class_weights(counts_K) if self.class_weights else None

        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            log_B = F.log_softmax(y_BK, 1).gather(1, t_B.unsqueeze(1)).squeeze(1)
            # A power below 1 has an infinite slope at 0.
            wrong_B = (-torch.expm1(log_B)).clamp(min=1e-12)
            loss_B = -(wrong_B**self.gamma) * log_B
            return (loss_B if w_K is None else w_K[t_B].to(y_BK.dtype) * loss_B).mean()

        return criterion

    def build_for(self, counts_K: torch.Tensor | None) -> Criterion:
        return self.build(counts_K)
