"""Activation functions, by the name a spec gives them."""

from typing import Literal

from torch import nn

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu"]

_MODULES: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}

MONOTONE = frozenset({"sigmoid", "tanh", "relu", "leaky_relu", "elu"})
"""Where f never falls, max-pooling before f is the same function as after it, on a quarter of the numbers."""


def activation(name: Activation) -> nn.Module:
    return _MODULES[name]()
