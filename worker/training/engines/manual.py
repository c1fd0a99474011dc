"""Forward and backward pass of a multi-layer perceptron by hand: of a small network's step, autograd is the most."""

from collections.abc import Sequence

import torch
from torch import nn

from models.nn.dropout import StepRandom
from worker.training.batch import Batch
from worker.training.engines.perceptrons import PerceptronStack
from worker.training.stages.forward import Forward


class Manual:
    """The derivatives of a perceptron in closed form. Only those of its loss come from autograd."""

    def __init__(self, model: nn.Module) -> None:
        assert isinstance(model, nn.Sequential)
        self._stack = PerceptronStack([model])
        self.trained: nn.Module = self._stack.flat(0)
        self._d_BC = torch.empty(0)

    def forward(self, how: Forward, batch: Batch, random: StepRandom) -> tuple[torch.Tensor, torch.Tensor]:
        assert isinstance(batch.x, torch.Tensor) and not how.bf16
        y_BC = self._stack.forward(batch.x.flatten(1).unsqueeze(0), [random])[0]
        loss, self._d_BC = loss_and_slope(how, batch, y_BC)
        return y_BC, loss

    def backward(self, loss: torch.Tensor) -> None:
        self._stack.backward(self._d_BC.unsqueeze(0))

    def gradients(self) -> Sequence[torch.Tensor]:
        return [self._stack.gradients_KP[0]]


def loss_and_slope(how: Forward, batch: Batch, y_BC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of a batch and its gradient d_BC."""
    if how.slope is None or batch.other is not None:
        y_BC = y_BC.requires_grad_()
        loss = batch.loss(how.criterion, y_BC)
        (d_BC,) = torch.autograd.grad(loss, y_BC)
        return loss.detach(), d_BC
    share = 1 / len(batch)
    scale_B = y_BC.new_full((len(batch),), share) if batch.w is None else batch.w * share
    loss_B, d_BC = how.slope(y_BC, batch.t, scale_B)
    return torch.dot(loss_B, scale_B), d_BC


ENGINE = Manual
