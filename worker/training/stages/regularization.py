"""The l1 penalty and the max-norm constraint. Weight decay is the optimizer's.

Shape letters: K outputs, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Regularization:
    """The strength of the penalty and the bound of the constraint."""

    l1: float = 0.0
    max_norm: float | None = None
    """Largest norm of a row of the output layers, enforced after every update. None: no bound."""

    @torch.no_grad()
    def add_l1_gradient(self, model: nn.Module) -> None:
        """Add the gradient of l1 · Σ|w| over parameters with two or more dimensions. It is 0 at w = 0."""
        if not self.l1:
            return
        for parameter in model.parameters():
            if parameter.grad is not None and parameter.dim() > 1:
                parameter.grad.add_(parameter.sign(), alpha=self.l1)

    @torch.no_grad()
    def constrain(self, readout: Sequence[torch.Tensor]) -> None:
        """Scale each row whose norm exceeds `max_norm` down to `max_norm` (Kim 2014, section 3.1).

        Several w_KF for the same outputs count as one matrix, concatenated along F.
        """
        if self.max_norm is None or not readout:
            return
        length_K1 = torch.cat([w_KF.detach() for w_KF in readout], 1).norm(dim=1, keepdim=True)
        for w_KF in readout:
            w_KF.mul_((self.max_norm / length_K1).clamp(max=1))
