"""Muon."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.optim.optimizer import ParamsT

from models.nn.module_roles import hidden_matrices
from models.parts.optimizer import Optimizer


class Muon(Optimizer):
    """Momentum made orthogonal by a Newton-Schulz iteration, for hidden matrices; AdamW for the rest.

    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". A matrix [A, B] takes steps of
    lr · √max(1, A/B), each close to the nearest matrix with equal singular values. Embeddings, output layers,
    convolutions, biases and normalization follow AdamW (Loshchilov and Hutter 2019) with a rate of their own. The
    series `lr` shows Muon's rate if the network has a hidden matrix, else AdamW's.
    """

    elementwise: ClassVar[bool] = False

    kind: Literal["muon"] = "muon"
    lr: float = Field(0.02, gt=0, le=1000, description="learning rate of hidden matrices, at the top of the schedule")
    weight_decay: float = Field(
        0.01, ge=0, le=1000, description="share of every weight that a step with rate 1 removes"
    )
    momentum: float = Field(0.95, ge=0, lt=1, description="decay of the mean of gradients of hidden matrices")
    nesterov: bool = Field(True, description="use Nesterov momentum")
    iterations: int = Field(5, ge=1, le=20, description="Newton-Schulz iterations per step")
    adamw_lr: float = Field(
        1e-3, gt=0, le=1000, description="learning rate of all other parameters, at the top of the schedule"
    )
    beta1: float = Field(0.9, ge=0, lt=1, description="AdamW: decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="AdamW: decay of the mean of squared gradients")
    eps: float = Field(1e-8, gt=0, le=1, description="AdamW: added to the divisor, so that it is never 0")

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        hidden = hidden_matrices(model)
        chosen = {id(parameter) for parameter in hidden}
        rest = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
        return [{"params": hidden, "orthogonal": True}, {"params": rest, "orthogonal": False}]

    def build(self, parameters: ParamsT) -> torch.optim.Optimizer:
        """Muon takes the groups with `orthogonal` = true, and of the parameters outside groups the matrices."""
        groups: list[dict[str, Any]] = []
        for given in parameters:
            if isinstance(given, dict):
                groups.append(given)
            else:
                assert isinstance(given, torch.Tensor)
                groups.append({"params": [given], "orthogonal": given.dim() == 2})
        built: list[torch.optim.Optimizer] = []
        if hidden := [group for group in groups if group["orthogonal"] and group["params"]]:
            built.append(
                torch.optim.Muon(
                    hidden,
                    lr=self.lr,
                    weight_decay=self.weight_decay,
                    momentum=self.momentum,
                    nesterov=self.nesterov,
                    ns_steps=self.iterations,
                )
            )
        if rest := [group for group in groups if not group["orthogonal"] and group["params"]]:
            built.append(
                torch.optim.AdamW(
                    rest,
                    lr=self.adamw_lr,
                    betas=(self.beta1, self.beta2),
                    eps=self.eps,
                    weight_decay=self.weight_decay,
                    fused=True,
                )
            )
        return CombinedOptimizer(built)


class CombinedOptimizer(torch.optim.Optimizer):
    """Several optimizers as one. It holds all groups and states, and passes them to each optimizer for its step."""

    def __init__(self, built: list[torch.optim.Optimizer]) -> None:
        super().__init__([group for each in built for group in each.param_groups], {})
        self.built, self.counts = built, [len(each.param_groups) for each in built]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        assert closure is None
        groups = iter(self.param_groups)
        for each, count in zip(self.built, self.counts, strict=True):
            each.state = self.state
            each.param_groups = [next(groups) for _ in range(count)]
            each.step()
        return None
