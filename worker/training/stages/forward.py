"""The forward pass: a batch through a network, in the precision of the job.

Shape letters: B rows of a batch, T words, C channels, H height, W width, K outputs.
"""

from dataclasses import dataclass

import torch
from torch import nn

from models.nn.named_tensors import NetworkInput, call, map_tensors, tensors
from models.parts.loss import Criterion, Slope


@dataclass(frozen=True)
class Forward:
    """The loss, and the precision in which outputs are computed."""

    criterion: Criterion
    slope: Slope | None = None
    """The derivative of the criterion in closed form, if it has one."""
    accumulate: int = 1
    """Micro-batches of a step."""
    bf16: bool = False
    """Whether matrix products are computed in bfloat16. Weights stay in float32."""

    def outputs(self, model: nn.Module, x_B: NetworkInput) -> torch.Tensor:
        """y_BK, or y_BTK, in float32."""
        x_B = map_tensors(as_network_input, x_B)
        if not self.bf16:
            return call(model, x_B).float()
        with torch.autocast(tensors(x_B)[0].device.type, torch.bfloat16):
            return call(model, x_B).float()


def as_network_input(x_B: torch.Tensor) -> torch.Tensor:
    """Images x_BCHW in channels-last memory format; token ids x_BT cut to the longest text; other tensors unchanged."""
    if x_B.dim() == 4:
        return x_B.contiguous(memory_format=torch.channels_last)
    if x_B.dtype == torch.int64:
        words = int((x_B != 0).any(0).nonzero().amax()) + 1
        return x_B[:, :words]
    return x_B
