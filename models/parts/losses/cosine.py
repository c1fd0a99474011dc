"""Cosine loss."""

from typing import ClassVar, Literal

import torch
from torch.nn import functional as F

from models.parts.loss import Criterion, Loss


class CosineLoss(Loss):
    """One minus the cosine of the angle between the output vector and the axis of the true class: from 0 to 2.

    Shapes: y_BK and class numbers t_B to a scalar, the mean over rows of 1 − y_t / |y|. The length of y has no
    effect, so the softmax that a prediction shows as probabilities is not calibrated. Barz and Denzler 2020, "Deep
    Learning on Small Datasets without Pre-Training using Cosine Loss".
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"classification"})

    kind: Literal["cosine"] = "cosine"

    def build(self) -> Criterion:
        def criterion(y_BK: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
            # A zero vector has no direction; its cosine counts as 0.
            cosine_B = F.normalize(y_BK, dim=1).gather(1, t_B.unsqueeze(1)).squeeze(1)
            return (1 - cosine_B).mean()

        return criterion
