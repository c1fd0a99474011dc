"""Multi-layer perceptrons."""

from collections import OrderedDict
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from models.nn.activations import DenseActivation, activation, input_multiplier
from models.nn.dropout import Dropout
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class MLP(Architecture):
    """Fully connected layers, with an activation and dropout after each but the last.

    Shapes: x_BF (an image is flattened) through `hidden` to y_BK. Rumelhart, Hinton and Williams 1986; dropout:
    Srivastava et al. 2014; swiglu: Shazeer 2020.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"vector", "image"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=1e-3, epochs=60, batch_size=32, schedule="cosine", weight_decay=0.01, least_steps=1000
    )

    kind: Literal["mlp"] = "mlp"
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [128, 64], min_length=1, max_length=64, description="units of each hidden layer"
    )
    activation: DenseActivation = Field(
        "relu", description="after each hidden layer; swiglu has a gate, which doubles the layer's weights"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="probability that a hidden unit is zeroed in a training step")

    def without_manual(self) -> str | None:
        return "it has no derivative of the activation swiglu" if self.activation == "swiglu" else None

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        return Perceptron(inputs.features, self.hidden, outputs, self.activation, self.dropout)


class Perceptron(nn.Sequential):
    def __init__(self, features: int, hidden: list[int], outputs: int, name: DenseActivation, dropout: float) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (width_in, width_out) in enumerate(zip([features, *hidden], hidden, strict=False), 1):
            layers[f"fc{number}"] = nn.Linear(width_in, width_out * input_multiplier(name))
            layers[f"act{number}"] = activation(name)
            layers[f"drop{number}"] = Dropout(dropout)
        layers[f"fc{len(hidden) + 1}"] = nn.Linear(hidden[-1], outputs)
        super().__init__(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = super().forward(x.flatten(1))  # type: ignore[no-untyped-call]
        return y_BK
