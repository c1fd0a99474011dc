"""Residual networks for images."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from models.errors import SpecError
from models.nn.activations import Activation, activation
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe

Blocks = Annotated[int, Field(ge=1, le=64)]


class ResNet(Architecture):
    """Stages of basic blocks, two 3×3 convolutions each, that add what they find to what they were given.

    Shapes: x_BCHW through a 3×3 convolution to h_BCHW at full size; every stage but the first halves H and W, rounded
    up; the mean over H and W gives h_BC, an affine map y_BK. Where a stage changes the shape, the shortcut is a 1×1
    convolution. With `order = post` a block is bn(conv(f(bn(conv x)))) + x, then f (He, Zhang, Ren and Sun 2016, "Deep
    Residual Learning for Image Recognition", the small-image networks of section 4.2 with shortcuts of type B); with
    `order = pre` normalization and f come before each convolution and nothing after the sum (the same authors 2016,
    "Identity Mappings in Deep Residual Networks"). Three stages of 3 blocks are ResNet-20.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=2e-3, epochs=15, batch_size=64, schedule="cosine", weight_decay=0.01, least_steps=500
    )

    kind: Literal["resnet"] = "resnet"
    stages: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [16, 32, 64], min_length=1, max_length=8, description="channels of each stage"
    )
    blocks: Blocks | Annotated[list[Blocks], Field(min_length=1, max_length=8)] = Field(
        2, description="blocks of every stage, or a list with the blocks of each"
    )
    order: Literal["post", "pre"] = Field("post", description="activation after the sum, or before the convolutions")
    activation: Activation = Field("relu", description="f, after each normalization")

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        blocks = self.blocks if isinstance(self.blocks, list) else [self.blocks] * len(self.stages)
        if len(blocks) != len(self.stages):
            raise SpecError(
                "/architecture/blocks",
                f"blocks are given for {len(blocks)} stages; there are {len(self.stages)}",
                code="shape",
                suggestion=f"one number, or a list of {len(self.stages)}",
            )
        return Residual(self, blocks, inputs.shape[0], outputs)


class Residual(nn.Module):
    def __init__(self, spec: ResNet, blocks: list[int], channels: int, outputs: int) -> None:
        super().__init__()
        width = spec.stages[0]
        self.stem = nn.Sequential(_convolution(channels, width))
        if spec.order == "post":
            self.stem.extend([nn.BatchNorm2d(width), activation(spec.activation)])
        self.stages = nn.Sequential()
        for stage, (channels_out, count) in enumerate(zip(spec.stages, blocks, strict=True)):
            for block in range(count):
                first = block == 0
                stride = 2 if first and stage > 0 else 1
                kind = Post if spec.order == "post" else Pre
                self.stages.append(kind(spec.activation, width, channels_out, stride, first))
                width = channels_out
        if spec.order == "pre":
            # The last sum has seen neither yet.
            self.stages.extend([nn.BatchNorm2d(width), activation(spec.activation)])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, outputs)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        h_BC = self.pool(self.stages(self.stem(x_BCHW)))
        y_BK: torch.Tensor = self.head(h_BC)
        return y_BK


class Post(nn.Module):
    """The sum is normalized on its way in and bent afterwards."""

    def __init__(self, name: Activation, channels_in: int, channels_out: int, stride: int, first: bool) -> None:
        super().__init__()
        self.change = nn.Sequential(
            _convolution(channels_in, channels_out, stride=stride),
            nn.BatchNorm2d(channels_out),
            activation(name),
            _convolution(channels_out, channels_out),
            nn.BatchNorm2d(channels_out),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or channels_in != channels_out:
            self.shortcut.append(_convolution(channels_in, channels_out, 1, stride))
            self.shortcut.append(nn.BatchNorm2d(channels_out))
        self.bend = activation(name)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BCHW: torch.Tensor = self.bend(self.change(x_BCHW) + self.shortcut(x_BCHW))
        return y_BCHW


class Pre(nn.Module):
    """The sum passes untouched from block to block. Each stage's first block bends what its shortcut carries too."""

    def __init__(self, name: Activation, channels_in: int, channels_out: int, stride: int, first: bool) -> None:
        super().__init__()
        self.bends_both = first
        self.enter = nn.Sequential(nn.BatchNorm2d(channels_in), activation(name))
        self.change = nn.Sequential(
            _convolution(channels_in, channels_out, stride=stride),
            nn.BatchNorm2d(channels_out),
            activation(name),
            _convolution(channels_out, channels_out),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or channels_in != channels_out:
            self.shortcut.append(_convolution(channels_in, channels_out, 1, stride))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        bent_BCHW = self.enter(x_BCHW)
        y_BCHW: torch.Tensor = self.change(bent_BCHW) + self.shortcut(bent_BCHW if self.bends_both else x_BCHW)
        return y_BCHW


def _convolution(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """Without a bias, which the normalization would take away; started as in He et al. 2015."""
    made = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made
