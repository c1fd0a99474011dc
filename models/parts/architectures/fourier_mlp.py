"""Multi-layer perceptrons over Fourier features: for fine detail in few coordinates."""

from contextlib import nullcontext
from math import pi
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from models.nn.activations import DenseActivation, activation, lanes
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class FourierMLP(Architecture):
    """Sines and cosines of random projections of the inputs, then fully connected layers.

    Shapes: x_BF to [cos(2π B x), sin(2π B x)] of 2M numbers, where B_MF ~ N(0, sigma²) is drawn once, saved with the
    weights and not trained; then through `hidden` to y_BK. An MLP alone learns slow changes first and fine detail
    hardly at all; `sigma` says how fine. Inputs arrive with unit variance, so that a coordinate spread evenly over
    [0, 1) reaches over 3.5: the paper's sigma for such coordinates is 3.5 times the one to give here. Tancik et al.
    2020, "Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains".
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"vector"})
    recipe: ClassVar[Recipe] = Recipe("adam", lr=1e-3, epochs=100, batch_size=32, schedule="cosine", least_steps=1000)

    kind: Literal["fourier_mlp"] = "fourier_mlp"
    encoding: Literal["gaussian", "none"] = Field("gaussian", description="none gives the inputs to the layers as is")
    features: int = Field(256, ge=1, le=65_536, description="M, the projections; each gives a sine and a cosine")
    sigma: float | None = Field(
        None, gt=0, le=1000, description="spread of the frequencies, finer detail the larger; null: 1 / inputs"
    )
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [128, 128, 128], max_length=64, description="units of each hidden layer"
    )
    activation: DenseActivation = Field(
        "relu", description="after each hidden layer; swiglu has a gate, and so twice the weights"
    )

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        return FourierPerceptron(self, inputs.features, outputs)


class FourierPerceptron(nn.Module):
    def __init__(self, spec: FourierMLP, inputs: int, outputs: int) -> None:
        super().__init__()
        self.encoding = Waves(inputs, spec.features, spec.sigma or 1 / inputs) if spec.encoding == "gaussian" else None
        seen = inputs if self.encoding is None else 2 * spec.features
        layers: list[nn.Module] = []
        for width_in, width_out in zip([seen, *spec.hidden], spec.hidden, strict=False):
            layers += [nn.Linear(width_in, width_out * lanes(spec.activation)), activation(spec.activation)]
        self.layers = nn.Sequential(*layers, nn.Linear([seen, *spec.hidden][-1], outputs))

    def forward(self, x_BF: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = self.layers(x_BF if self.encoding is None else self.encoding(x_BF))
        return y_BK


class Waves(nn.Module):
    frequencies_MF: torch.Tensor

    def __init__(self, inputs: int, features: int, sigma: float) -> None:
        super().__init__()
        self.register_buffer("frequencies_MF", sigma * torch.randn(features, inputs))

    def forward(self, x_BF: torch.Tensor) -> torch.Tensor:
        # A phase of many turns has no digits to spare for bfloat16. The rehearsal's device knows no autocast.
        with nullcontext() if x_BF.is_meta else torch.autocast(x_BF.device.type, enabled=False):
            phase_BM = 2 * pi * (x_BF.float() @ self.frequencies_MF.T)
        return torch.cat([phase_BM.cos(), phase_BM.sin()], 1)
