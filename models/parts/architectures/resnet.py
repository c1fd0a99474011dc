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
    """Stages of residual blocks: each block adds the output of two 3×3 convolutions to its input.

    Shapes: x_BCHW through a 3×3 convolution to h_BCHW at full size. Every stage but the first halves H and W, rounded
    up. The mean over H and W gives h_BC, a linear layer y_BK. Where a stage changes the shape, the shortcut is a 1×1
    convolution. With `order = post` a block is f(bn(conv(f(bn(conv x)))) + x) (He, Zhang, Ren and Sun 2016, "Deep
    Residual Learning for Image Recognition", the small-image networks of section 4.2 with shortcuts of type B). With
    `order = pre` bn and f come before each convolution and nothing follows the sum (the same authors 2016, "Identity
    Mappings in Deep Residual Networks"). Three stages of 3 blocks are ResNet-20. Parameter names are torchvision's.
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
    order: Literal["post", "pre"] = Field(
        "post", description="post: activation after the sum; pre: activation before the convolutions"
    )
    activation: Activation = Field("relu", description="the activation f in each block")

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        blocks = self.blocks if isinstance(self.blocks, list) else [self.blocks] * len(self.stages)
        if len(blocks) != len(self.stages):
            raise SpecError(
                "/architecture/blocks",
                f"blocks are given for {len(blocks)} stages; there are {len(self.stages)}",
                code="shape",
                suggestion=f"one number, or a list of {len(self.stages)}",
            )
        return ResidualNetwork(self, blocks, inputs.shape[0], outputs)


class ResidualNetwork(nn.Module):
    def __init__(self, spec: ResNet, blocks: list[int], channels: int, outputs: int) -> None:
        super().__init__()
        width = spec.stages[0]
        self.preactivation = spec.order == "pre"
        self.conv1 = _conv(channels, width)
        if not self.preactivation:
            self.bn1, self.act1 = nn.BatchNorm2d(width), activation(spec.activation)
        self.stages = [f"layer{number}" for number in range(1, len(spec.stages) + 1)]
        for name, channels_out, count in zip(self.stages, spec.stages, blocks, strict=True):
            stage = nn.Sequential()
            for block in range(count):
                first = block == 0
                stride = 2 if first and name != "layer1" else 1
                cls = PreActBlock if self.preactivation else BasicBlock
                stage.append(cls(spec.activation, width, channels_out, stride, first))
                width = channels_out
            self.add_module(name, stage)
        if self.preactivation:
            # The blocks neither normalize nor activate their last sum.
            self.bn1, self.act1 = nn.BatchNorm2d(width), activation(spec.activation)
        self.avgpool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(width, outputs)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        h_BCHW = self.conv1(x_BCHW)
        if not self.preactivation:
            h_BCHW = self.act1(self.bn1(h_BCHW))
        for name in self.stages:
            h_BCHW = self.get_submodule(name)(h_BCHW)
        if self.preactivation:
            h_BCHW = self.act1(self.bn1(h_BCHW))
        y_BK: torch.Tensor = self.fc(self.avgpool(h_BCHW))
        return y_BK


class BasicBlock(nn.Module):
    """Normalization after each convolution; the second activation comes after the sum."""

    def __init__(self, name: Activation, channels_in: int, channels_out: int, stride: int, first: bool) -> None:
        super().__init__()
        self.conv1 = _conv(channels_in, channels_out, stride=stride)
        self.bn1, self.act1 = nn.BatchNorm2d(channels_out), activation(name)
        self.conv2 = _conv(channels_out, channels_out)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample = nn.Sequential()
        if stride > 1 or channels_in != channels_out:
            self.downsample.append(_conv(channels_in, channels_out, 1, stride))
            self.downsample.append(nn.BatchNorm2d(channels_out))
        self.act2 = activation(name)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        h_BCHW = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x_BCHW)))))
        y_BCHW: torch.Tensor = self.act2(h_BCHW + self.downsample(x_BCHW))
        return y_BCHW


class PreActBlock(nn.Module):
    """Normalization and activation before each convolution; the sum is passed on unchanged.

    In the first block of a stage the shortcut too starts from the normalized and activated input.
    """

    def __init__(self, name: Activation, channels_in: int, channels_out: int, stride: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.bn1, self.act1 = nn.BatchNorm2d(channels_in), activation(name)
        self.conv1 = _conv(channels_in, channels_out, stride=stride)
        self.bn2, self.act2 = nn.BatchNorm2d(channels_out), activation(name)
        self.conv2 = _conv(channels_out, channels_out)
        self.downsample = nn.Sequential()
        if stride > 1 or channels_in != channels_out:
            self.downsample.append(_conv(channels_in, channels_out, 1, stride))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        a_BCHW = self.act1(self.bn1(x_BCHW))
        h_BCHW = self.conv2(self.act2(self.bn2(self.conv1(a_BCHW))))
        y_BCHW: torch.Tensor = h_BCHW + self.downsample(a_BCHW if self.first else x_BCHW)
        return y_BCHW


def _conv(channels_in: int, channels_out: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution initialized as in He et al. 2015, without a bias: the normalization would cancel it."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv
