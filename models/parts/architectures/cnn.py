"""Convolutional networks for images."""

from collections import OrderedDict
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from models.errors import SpecError
from models.nn.activations import MONOTONE, Activation, activation
from models.nn.dropout import Dropout
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class CNN(Architecture):
    """Blocks of convolution, normalization, activation and 2×2 max-pooling, then a fully connected head.

    Shapes: x_BCHW; each block's convolution is padded to keep H and W, and its pooling halves them. The head reads all
    remaining pixels, or the mean of each channel (`pool = global`), and gives y_BK. LeCun et al. 1998; batch
    normalization: Ioffe and Szegedy 2015; global average pooling: Lin, Chen and Yan 2014.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=2e-3, epochs=20, batch_size=64, schedule="cosine", weight_decay=0.01, least_steps=500
    )

    kind: Literal["cnn"] = "cnn"
    channels: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [32, 64], min_length=1, max_length=32, description="channels of each block"
    )
    kernel: Literal[1, 3, 5, 7, 9, 11] = Field(3, description="height and width of the filters")
    normalization: Literal["batch", "none"] = Field("batch", description="after each convolution and hidden layer")
    activation: Activation = Field("relu", description="activation of the blocks and of the head's hidden layers")
    pool: Literal["flatten", "global"] = Field(
        "flatten",
        description="how the last block's output becomes the head's input: all of it, or the mean of each channel",
    )
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [128], max_length=16, description="units of the head's hidden layers"
    )
    dropout: float = Field(
        0.3, ge=0, lt=1, description="probability that a hidden unit of the head is zeroed in training"
    )

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        channels, height, width = inputs.shape
        halvings = len(self.channels)
        if min(height, width) >> halvings == 0:
            most = min(height, width).bit_length() - 1
            raise SpecError(
                "/architecture/channels",
                f"{halvings} blocks halve a {height}×{width} image {halvings} times, which leaves no pixel",
                code="shape",
                suggestion=f"at most {most} blocks" if most else "use mlp or linear for images this small",
            )
        features = self.channels[-1] * (1 if self.pool == "global" else (height >> halvings) * (width >> halvings))
        return ConvolutionalNetwork(self, channels, features, outputs)


class ConvolutionalNetwork(nn.Module):
    def __init__(self, spec: CNN, channels: int, features: int, outputs: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        for channels_in, channels_out in zip([channels, *spec.channels], spec.channels, strict=False):
            self.blocks.append(_block(spec, channels_in, channels_out))
        self.pool = nn.Sequential(*([nn.AdaptiveAvgPool2d(1)] if spec.pool == "global" else []), nn.Flatten())
        widths = [features, *spec.hidden]
        head: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (width_in, width_out) in enumerate(zip(widths, spec.hidden, strict=False), 1):
            head[f"fc{number}"] = nn.Linear(width_in, width_out, bias=spec.normalization == "none")
            if spec.normalization == "batch":
                # Adaptive optimizers move each weight by the learning rate, and all inputs of a unit are positive: a
                # unit that reads a large image would fall below 0 within a few steps and stay there.
                head[f"bn{number}"] = nn.BatchNorm1d(width_out)
            head[f"act{number}"] = activation(spec.activation)
            head[f"drop{number}"] = Dropout(spec.dropout)
        head[f"fc{len(widths)}"] = nn.Linear(widths[-1], outputs)
        self.head = nn.Sequential(head)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = self.head(self.pool(self.blocks(x_BCHW)))
        return y_BK


def _block(spec: CNN, channels_in: int, channels_out: int) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    normalized = spec.normalization == "batch"
    layers["conv"] = nn.Conv2d(channels_in, channels_out, spec.kernel, padding=spec.kernel // 2, bias=not normalized)
    if normalized:
        layers["bn"] = nn.BatchNorm2d(channels_out)
    layers["act"], layers["pool"] = activation(spec.activation), nn.MaxPool2d(2)
    if spec.activation in MONOTONE:
        layers.move_to_end("act")
    return nn.Sequential(layers)
