"""Activation functions, by the name a spec gives them."""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu"]
DenseActivation = Literal[Activation, "swiglu"]
"""Activations of a fully connected layer. `swiglu` reads a gate beside each value; convolutions and recurrent cells do
not compute one, so they take an Activation."""


class SwiGLU(nn.Module):
    """silu(gate) · value. The first half of the last dimension is the gate, the second half is the value.

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
"""Activations f that never fall. Max-pooling before such an f gives the same result as after it, and f then acts on a
quarter of the numbers."""


def activation(name: DenseActivation) -> nn.Module:
    return _MODULES[name]()


def input_multiplier(name: DenseActivation) -> int:
    """How many inputs an activation reads per output: 2 for swiglu, which reads a gate and a value."""
    return 2 if name == "swiglu" else 1
