"""Averages of the weights: an exponential moving average (EMA), or an equal average of the last epochs (SWA)."""

from dataclasses import dataclass

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Averaging:
    """Which average is kept beside the weights: at most one."""

    ema: float | None = None
    """Decay of the moving average."""
    swa: float | None = None
    """Share of the run after which the weights at the ends of epochs are averaged."""

    def start(self, model: nn.Module) -> Tensors | None:
        """The moving average before the first step. The equal average begins later."""
        return _copy(model) if self.ema is not None else None

    @torch.no_grad()
    def after_step(self, model: nn.Module, average: Tensors | None) -> None:
        """Update the moving average in place."""
        if self.ema is not None and average is not None:
            _move(average, model, 1 - self.ema)

    def includes(self, step: int, steps: int) -> bool:
        """Whether the equal average takes in the weights after `step` of `steps`."""
        return self.swa is not None and step >= self.swa * steps


def equal_average(model: nn.Module, average: Tensors | None, count: int) -> Tensors:
    """The equal average of `count` epochs' weights, the model's own being the last of them. Updates `average`."""
    if average is None:
        average = _copy(model)
    _move(average, model, 1 / count)
    return average


def _copy(model: nn.Module) -> Tensors:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _move(average: Tensors, model: nn.Module, share: float) -> None:
    """Move an average by `share` of the way to the model's weights; whole numbers, which count, are taken over."""
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, share)
        else:
            average[name].copy_(value)
