"""Gradient clipping: by global norm, then by value."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

_SMALL = 1e-6
"""Added to the norm before it divides, as `torch.nn.utils.clip_grad_norm_` does."""


@dataclass(frozen=True)
class Clipping:
    """The bounds of a gradient. None: no bound."""

    norm: float | None = None
    """Largest Euclidean norm of the whole gradient."""
    value: float | None = None
    """Largest absolute value of each element, applied after `norm`."""

    def apply(self, gradients: Sequence[torch.Tensor]) -> torch.Tensor:
        """Clip the gradients in place. Returns their norm before clipping, a scalar."""
        if not gradients:
            return torch.zeros(())
        # PyTorch's own functions sort the tensors by device and type first, which takes longer than the norm.
        norms = torch._foreach_norm(list(gradients))
        norm = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
        if self.norm is not None:
            torch._foreach_mul_(list(gradients), (self.norm / (norm + _SMALL)).clamp(max=1.0))
        if self.value is not None:
            torch._foreach_clamp_min_(list(gradients), -self.value)
            torch._foreach_clamp_max_(list(gradients), self.value)
        return norm
