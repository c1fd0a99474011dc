"""Cross-entropy."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import functional as F

from models.parts.loss import Criterion, Loss, Slope, class_weights

_aten = torch.ops.aten
_EACH = 0
"""The reduction of `nll_loss` that keeps the loss of each row."""


class CrossEntropy(Loss):
    """Negative log-likelihood of the true class under a softmax, in nats.

    Shapes: y_BK and class numbers t_B to a scalar. Label smoothing: Szegedy et al. 2016. With `class_weights` a
    row is multiplied by the weight of its true class, in validation and test too. The sum is divided by the number of
    rows, not by the sum of weights; over the training part the mean weight is 1.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "tagging", "language_modeling"})

    kind: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")
    class_weights: Literal["balanced"] | None = Field(
        None,
        description="balanced: a class with n of the N training rows or words, of K classes, has the weight N / (K n)",
    )

    def build(self, counts_K: torch.Tensor | None = None) -> Criterion:
        w_K = class_weights(counts_K) if self.class_weights else None

        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            if w_K is None:
                return F.cross_entropy(y_BK, t_B, label_smoothing=self.label_smoothing)
            loss_B = F.cross_entropy(y_BK, t_B, label_smoothing=self.label_smoothing, reduction="none")
            return (w_K[t_B].to(y_BK.dtype) * loss_B).mean()

        return criterion

    def slope(self) -> Slope | None:
        return None if self.label_smoothing or self.class_weights else _slope

    def build_for(self, counts_K: torch.Tensor | None) -> Criterion:
        return self.build(counts_K)


def _slope(y_NK: torch.Tensor, t_N: torch.Tensor, scale_N: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The kernels that autograd would call."""
    logp_NK = torch.log_softmax(y_NK, 1)
    loss_N, total = _aten.nll_loss_forward(logp_NK, t_N, None, _EACH, -1)
    d_NK = _aten.nll_loss_backward(scale_N, logp_NK, t_N, None, _EACH, -1, total)
    return loss_N, _aten._log_softmax_backward_data(d_NK, logp_NK, 1, y_NK.dtype)
