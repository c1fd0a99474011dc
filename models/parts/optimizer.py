"""Optimizers: how gradients become steps."""

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
    full_batch: ClassVar[bool] = False
    """Whether a step is made from the whole training part, whatever batch_size says."""

    @property
    def states(self) -> int:
        """Numbers kept per parameter, for the memory estimate."""
        return 2

    @abstractmethod
    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        """The torch optimizer over `parameters`, or over groups of them."""

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """The parameters of a network, for `build`: one group, where the rule treats all of them alike."""
        return [{"params": list(model.parameters())}]

    def over(self, model: nn.Module, *, decay_biases: bool = True) -> torch.optim.Optimizer:
        """The torch optimizer over what is trained. Biases and normalization are what has at most one dimension."""
        groups = [group for group in map(_trained, self.groups(model)) if group["params"]]
        return self.build(groups if decay_biases else [half for group in groups for half in _halves(group)])

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        OPTIMIZERS.add(cls)


def _trained(group: dict[str, Any]) -> dict[str, Any]:
    """A group without its frozen parameters: they are neither decayed nor given a state."""
    return {**group, "params": [parameter for parameter in group["params"] if parameter.requires_grad]}


def _halves(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters of a group that weight decay pulls at, and those that it leaves alone."""
    pulled = [parameter for parameter in group["params"] if parameter.dim() > 1]
    left = [parameter for parameter in group["params"] if parameter.dim() <= 1]
    halves = [{**group, "params": pulled}, {**group, "params": left, "weight_decay": 0.0}]
    return [half for half in halves if half["params"]]


OPTIMIZERS: Registry[Optimizer] = Registry("optimizers")
