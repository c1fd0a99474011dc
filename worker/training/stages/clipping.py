"""Gradient clipping: by global norm, then by value."""

from collections.abc import Sequence
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

    @torch.no_grad()
    def apply(self, parameters: Sequence[nn.Parameter]) -> torch.Tensor:
        """Clip the gradients of `parameters` in place. Returns their norm before clipping, a scalar."""
        norm = nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None])
        if self.norm is not None:
            nn.utils.clip_grads_with_norm_(parameters, self.norm, norm)
        if self.value is not None:
            nn.utils.clip_grad_value_(parameters, self.value)
        return norm
