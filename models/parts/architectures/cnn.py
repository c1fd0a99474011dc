"""Convolutional networks for images."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from models.errors import SpecError
from models.nn.activations import MONOTONE, Activation, activation
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class CNN(Architecture):
    """Blocks of convolution, normalization, activation and 2×2 max-pooling, then a fully connected head.

    Shapes: x_BCHW; each block keeps H and W by padding and then halves them; the head sees them flattened, or their
    mean (`pool = global`), and gives y_BK. LeCun et al. 1998; batch normalization: Ioffe and Szegedy 2015; global
    average pooling: Lin, Chen and Yan 2014.
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
    activation: Activation = Field("relu", description="of blocks and hidden layers")
    pool: Literal["flatten", "global"] = Field("flatten", description="how the last block meets the head")
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [128], max_length=16, description="units of the head's hidden layers"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="in the head")

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        channels, height, width = inputs.shape
        halvings = len(self.channels)
        if min(height, width) >> halvings == 0:
            most = min(height, width).bit_length() - 1
            raise SpecError(
                "/architecture/channels",
                f"{halvings} blocks halve a {height}×{width} image {halvings} times, which leaves nothing of it",
                code="shape",
                suggestion=f"at most {most} blocks" if most else "use mlp or linear for images this small",
            )
        seen = self.channels[-1] * (1 if self.pool == "global" else (height >> halvings) * (width >> halvings))
        return Convolutional(self, channels, seen, outputs)


class Convolutional(nn.Module):
    def __init__(self, spec: CNN, channels: int, seen: int, outputs: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for channels_in, channels_out in zip([channels, *spec.channels], spec.channels, strict=False):
            batch = spec.normalization == "batch"
            blocks.append(nn.Conv2d(channels_in, channels_out, spec.kernel, padding=spec.kernel // 2, bias=not batch))
            if batch:
                blocks.append(nn.BatchNorm2d(channels_out))
            bend, pool = activation(spec.activation), nn.MaxPool2d(2)
            blocks += [pool, bend] if spec.activation in MONOTONE else [bend, pool]
        if spec.pool == "global":
            blocks.append(nn.AdaptiveAvgPool2d(1))
        self.blocks = nn.Sequential(*blocks, nn.Flatten())
        head: list[nn.Module] = []
        for width_in, width_out in zip([seen, *spec.hidden], spec.hidden, strict=False):
            head.append(nn.Linear(width_in, width_out, bias=spec.normalization == "none"))
            if spec.normalization == "batch":
                # Adaptive optimizers move each weight by the rate, and all that a unit reads is positive: a unit over
                # a large image would be below 0 for good within a few steps.
                head.append(nn.BatchNorm1d(width_out))
            head += [activation(spec.activation), nn.Dropout(spec.dropout)]
        self.head = nn.Sequential(*head, nn.Linear([seen, *spec.hidden][-1], outputs))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = self.head(self.blocks(x_BCHW))
        return y_BK
