"""Multi-layer perceptrons over Fourier features, for fine detail in few coordinates."""

from collections import OrderedDict
from contextlib import nullcontext
from math import pi
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from models.nn.activations import DenseActivation, activation, input_multiplier
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class FourierMLP(Architecture):
    """Sines and cosines of random projections of the inputs, then fully connected layers.

    Shapes: x_BF to [cos(2π B x), sin(2π B x)] of 2M numbers, then through `hidden` to y_BK. B_MF ~ N(0, sigma²) is
    drawn once, saved with the weights and not trained. A plain MLP learns low frequencies first and fine detail hardly
    at all; `sigma` sets how fine the detail is. Inputs have unit variance, so a coordinate that is uniform over [0, 1)
    spans a range of 3.5 here: divide a sigma of the paper by 3.5. Tancik et al. 2020, "Fourier Features Let Networks
    Learn High Frequency Functions in Low Dimensional Domains".
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"vector"})
    recipe: ClassVar[Recipe] = Recipe("adam", lr=1e-3, epochs=100, batch_size=32, schedule="cosine", least_steps=1000)

    kind: Literal["fourier_mlp"] = "fourier_mlp"
    encoding: Literal["gaussian", "none"] = Field(
        "gaussian", description="none passes the inputs to the layers unchanged"
    )
    features: int = Field(
        256, ge=1, le=65_536, description="M, the number of projections; each gives a sine and a cosine"
    )
    sigma: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="standard deviation of the frequencies: larger gives finer detail; null: 1 / inputs",
    )
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [128, 128, 128], max_length=64, description="units of each hidden layer"
    )
    activation: DenseActivation = Field(
        "relu", description="after each hidden layer; swiglu has a gate, which doubles the layer's weights"
    )

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        return FourierPerceptron(self, inputs.features, outputs)


class FourierPerceptron(nn.Module):
    def __init__(self, spec: FourierMLP, inputs: int, outputs: int) -> None:
        super().__init__()
        gaussian = spec.encoding == "gaussian"
        self.encoding = FourierFeatures(inputs, spec.features, spec.sigma or 1 / inputs) if gaussian else None
        widths = [2 * spec.features if gaussian else inputs, *spec.hidden]
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (width_in, width_out) in enumerate(zip(widths, spec.hidden, strict=False), 1):
            layers[f"fc{number}"] = nn.Linear(width_in, width_out * input_multiplier(spec.activation))
            layers[f"act{number}"] = activation(spec.activation)
        layers[f"fc{len(widths)}"] = nn.Linear(widths[-1], outputs)
        self.mlp = nn.Sequential(layers)

    def forward(self, x_BF: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = self.mlp(x_BF if self.encoding is None else self.encoding(x_BF))
        return y_BK


class FourierFeatures(nn.Module):
    frequencies: torch.Tensor

    def __init__(self, inputs: int, features: int, sigma: float) -> None:
        super().__init__()
        self.register_buffer("frequencies", sigma * torch.randn(features, inputs))

    def forward(self, x_BF: torch.Tensor) -> torch.Tensor:
        # bfloat16 has too few digits for a phase of many turns. The meta device of the rehearsal has no autocast.
        with nullcontext() if x_BF.is_meta else torch.autocast(x_BF.device.type, enabled=False):
            phase_BM = 2 * pi * (x_BF.float() @ self.frequencies.T)
        return torch.cat([phase_BM.cos(), phase_BM.sin()], 1)
