"""Optimizers: update rules."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.optim.optimizer import ParamsT

from models.registry import Buildable, Registry


class Optimizer(Buildable, ABC):
    """A rule that turns gradients into steps."""

    lr: float = Field(gt=0, le=1000, description="learning rate at the top of the schedule")
    weight_decay: float = Field(
        0.0, ge=0, le=1000, description="factor of the L2 term that weight decay adds to the gradient"
    )
    elementwise: ClassVar[bool] = True
    """Whether the step of a number depends on its own gradients and its group alone."""
    full_batch: ClassVar[bool] = False
    """Whether each step uses the whole training part; `batch_size` is then ignored."""

    @property
    def states(self) -> int:
        """Numbers of optimizer state per parameter, for the memory estimate."""
        return 2

    @abstractmethod
    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        """The torch optimizer over `parameters`, or over groups of them."""

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Parameter groups of a network, for `build`: one group unless the rule treats parameters differently."""
        return [{"params": list(model.parameters())}]

    def over(self, model: nn.Module, *, decay_biases: bool = True) -> torch.optim.Optimizer:
        """The torch optimizer over the trainable parameters.

        Without `decay_biases`, parameters of at most one dimension (biases, normalization) have no weight decay.
        """
        groups = [group for group in map(_trained, self.groups(model)) if group["params"]]
        return self.build(groups if decay_biases else [half for group in groups for half in _halves(group)])

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        OPTIMIZERS.add(cls)


def _trained(group: dict[str, Any]) -> dict[str, Any]:
    """A group without its frozen parameters, which get neither weight decay nor optimizer state."""
    return {**group, "params": [parameter for parameter in group["params"] if parameter.requires_grad]}


def _halves(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Split a group into parameters with and without weight decay."""
    pulled = [parameter for parameter in group["params"] if parameter.dim() > 1]
    left = [parameter for parameter in group["params"] if parameter.dim() <= 1]
    halves = [{**group, "params": pulled}, {**group, "params": left, "weight_decay": 0.0}]
    return [half for half in halves if half["params"]]


OPTIMIZERS: Registry[Optimizer] = Registry("optimizers")
