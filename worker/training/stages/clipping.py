"""Gradient clipping: by global norm, then by value."""

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Clipping:
    """The bounds of a gradient. None: no bound."""

    norm: float | None = None
    """Largest Euclidean norm of the whole gradient."""
    value: float | None = None
    """Largest absolute value of each element, applied after `norm`."""

    def apply(self, model: nn.Module) -> torch.Tensor:
        """Clip the gradient in place. Returns its norm before clipping, a scalar."""
        norm = nn.utils.clip_grad_norm_(model.parameters(), self.norm or math.inf)
        if self.value is not None:
            nn.utils.clip_grad_value_(model.parameters(), self.value)
        return norm
