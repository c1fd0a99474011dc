"""Averages of the weights: an exponential moving average (EMA), or an equal average of the last epochs (SWA)."""

from dataclasses import dataclass

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Averaging:
    """The average of the weights to compute: EMA, SWA or none."""

    ema: float | None = None
    """Decay of the moving average, for each step."""
    swa: float | None = None
    """Fraction of the training after which the weights at the ends of epochs are averaged."""

    def start(self, model: nn.Module) -> Tensors | None:
        """The moving average before the first step. None for the equal average, which starts later."""
        return _copy(model) if self.ema is not None else None

    @torch.no_grad()
    def after_step(self, model: nn.Module, average: Tensors | None) -> None:
        """Update the moving average in place."""
        if self.ema is not None and average is not None:
            _move(average, model, 1 - self.ema)

    def includes(self, step: int, steps: int) -> bool:
        """Whether the equal average includes the weights after `step` of `steps`."""
        return self.swa is not None and step >= self.swa * steps


def equal_average(model: nn.Module, average: Tensors | None, count: int) -> Tensors:
    """Add the model's weights to the equal average of `count` - 1 epochs, in place. Returns the average."""
    if average is None:
        average = _copy(model)
    _move(average, model, 1 / count)
    return average


def _copy(model: nn.Module) -> Tensors:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _move(average: Tensors, model: nn.Module, share: float) -> None:
    """Interpolate the average toward the model's weights by `share`. Integer tensors are counters and are copied."""
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, share)
        else:
            average[name].copy_(value)
