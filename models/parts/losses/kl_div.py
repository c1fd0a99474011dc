"""Kullback-Leibler divergence."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import functional as F

from models.parts.loss import Criterion, Loss


class KLDivergence(Loss):
    """Kullback-Leibler divergence of the softmax from the smoothed target, in nats (Kullback and Leibler 1951).

    Shapes: y_BK and class numbers t_B to a scalar, the mean over rows of Σ q_k log(q_k / p_k), where p is the softmax
    of y, and q has label_smoothing / K everywhere and 1 − label_smoothing more at the true class. It is
    `cross_entropy` with the same smoothing minus the entropy of q: the gradients are equal, and 0 means p = q.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})

    kind: Literal["kl_div"] = "kl_div"
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="share of the target spread over all classes")

    def build(self) -> Criterion:
        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            truth_BK = F.one_hot(t_B, y_BK.shape[1]).to(y_BK.dtype)
            q_BK = (1 - self.label_smoothing) * truth_BK + self.label_smoothing / y_BK.shape[1]
            return (torch.xlogy(q_BK, q_BK) - q_BK * F.log_softmax(y_BK, 1)).sum(1).mean()

        return criterion
