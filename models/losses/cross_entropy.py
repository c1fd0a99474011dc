"""Cross-entropy."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import functional as F

from models.kinds import Criterion, Loss


class CrossEntropy(Loss):
    """Negative log-likelihood of the true class under a softmax, in nats.

    Shapes: y_BK and class numbers t_B to a scalar. Label smoothing: Szegedy et al. 2016.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification", "tagging", "language_modeling"})

    kind: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")

    def build(self) -> Criterion:
        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(y_BK, t_B, label_smoothing=self.label_smoothing)

        return criterion
