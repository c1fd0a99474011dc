"""Activation functions, by the name a spec gives them."""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu"]
DenseActivation = Literal[Activation, "swiglu"]
"""Those of a fully connected layer, which can also give a gate. A convolution, or a cell that has gates of its own,
takes an Activation."""


class SwiGLU(nn.Module):
    """silu(gate) · value, where the gate is the first half of the last dimension and the value the second.

    Shazeer 2020, "GLU Variants Improve Transformer".
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, value = x.chunk(2, dim=-1)
        return F.silu(gate) * value


_MODULES: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "swiglu": SwiGLU,
}

MONOTONE = frozenset({"sigmoid", "tanh", "relu", "leaky_relu", "elu"})
"""Where f never falls, max-pooling before f is the same function as after it, on a quarter of the numbers."""


def activation(name: DenseActivation) -> nn.Module:
    return _MODULES[name]()


def lanes(name: DenseActivation) -> int:
    """Numbers that a layer gives for every one that comes out of its activation."""
    return 2 if name == "swiglu" else 1
