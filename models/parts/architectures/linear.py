"""Linear models: linear, logistic or softmax regression, depending on the loss."""

from typing import ClassVar, Literal

import torch
from torch import nn

from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class Linear(Architecture):
    """One linear layer from all inputs to all outputs.

    Shapes: x_BF (an image is flattened) to y_BK. With `cross_entropy` it is softmax regression, with `bce` logistic
    regression (Cox 1958), with `mse` linear least squares, with `hinge` a linear support vector machine, which learns
    from margin errors as the perceptron learns from its errors (Rosenblatt 1958).
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"vector", "image"})
    recipe: ClassVar[Recipe] = Recipe("adamw", lr=0.05, epochs=100, batch_size=32, schedule="cosine", most_inputs=32)

    kind: Literal["linear"] = "linear"

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        return LinearModel(inputs.features, outputs)


class LinearModel(nn.Module):
    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = self.linear(x.flatten(1))
        return y_BK
