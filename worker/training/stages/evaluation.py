"""Evaluation: loss and metrics of a network over a whole part, without dropout.

Shape letters: N rows of a part, B rows of a batch, T words, K outputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from models.data.preparation.examples import Part
from models.nn.named_tensors import NetworkInput, split
from worker.training.batch import weighted
from worker.training.stages.forward import Forward

Measure = Callable[[torch.Tensor, torch.Tensor], dict[str, float]]


@dataclass(frozen=True)
class SummedMetrics:
    """Metrics from sums over batches, for outputs that do not fit into memory. The first sum is the target count."""

    count: Callable[[torch.Tensor, torch.Tensor], list[float]]
    conclude: Callable[[list[float]], dict[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """How a part is evaluated."""

    measure: Measure
    """Metrics of a whole part, from outputs and targets."""
    measure_step: Measure | None = None
    """Metrics of a training step, if `measure` is too slow for every step."""
    summed: SummedMetrics | None = None
    """Metrics that add up over batches, in place of `measure` over a whole part."""

    @torch.no_grad()
    def measure_part(self, model: nn.Module, forward: Forward, part: Part, batch_size: int) -> dict[str, float]:
        """`loss` and the metrics of a whole part. Weights of rows count in the loss, and not in the metrics.

        `batch_size` is that of a forward pass in training, so a device that can train can also evaluate.
        """
        x_N, t_N, *w_N = part
        if self.summed is not None:
            assert not w_N
            return _measure_summed(self.summed, model, forward, x_N, t_N, batch_size)
        y_NK = outputs(model, forward, x_N, batch_size)
        return {"loss": float(weighted(forward.criterion, y_NK, t_N, *w_N)), **self.measure(y_NK, t_N)}


def _measure_summed(
    metrics: SummedMetrics, model: nn.Module, forward: Forward, x_N: NetworkInput, t_N: torch.Tensor, batch_size: int
) -> dict[str, float]:
    loss, sums = 0.0, [0.0]
    for x_B, t_B in zip(split(x_N, batch_size), torch.split(t_N, batch_size), strict=True):
        y_B = outputs(model, forward, x_B, batch_size)
        here = metrics.count(y_B, t_B)
        loss += here[0] * float(forward.criterion(y_B, t_B))
        sums = [one + other for one, other in zip(sums if len(sums) > 1 else [0.0] * len(here), here, strict=True)]
    return {"loss": loss / sums[0], **metrics.conclude(sums)}


@torch.no_grad()
def outputs(model: nn.Module, forward: Forward, x_N: NetworkInput, batch_size: int) -> torch.Tensor:
    """y_NK or y_NTK in float32, computed batch by batch in evaluation mode."""
    model.eval()
    return joined([forward.outputs(model, x_B) for x_B in split(x_N, batch_size)])


def joined(outputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """The outputs of batches in one tensor. Each batch of texts was cut to its longest text."""
    if outputs[0].dim() == 3:
        words = max(y_BTK.shape[1] for y_BTK in outputs)
        outputs = [nn.functional.pad(y_BTK, (0, 0, 0, words - y_BTK.shape[1])) for y_BTK in outputs]
    return torch.cat(list(outputs))
