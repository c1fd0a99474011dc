"""Convolutional networks behind a spatial transformer."""

from collections import OrderedDict
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.errors import SpecError
from models.nn.activations import MONOTONE, Activation, activation
from models.nn.dropout import Dropout
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class STNCNN(Architecture):
    """A spatial transformer in front of the blocks and the head of `cnn`: it learns which region to look at.

    Shapes: a localization network (5×5 convolutions, relu and 2×2 max-pooling, then one hidden layer with tanh) maps
    x_BCHW to an affine map theta_B23 from output coordinates to input coordinates, both in [-1, 1]. The image is
    sampled bilinearly at those coordinates, with its edge pixels continued beyond the edge, and the transformed x_BCHW
    goes through `cnn` to y_BK. The localization network starts at the identity, so training begins like that of a plain
    `cnn`. It uses the full learning rate; a lower one does not leave the identity in time. Jaderberg, Simonyan,
    Zisserman and Kavukcuoglu 2015, "Spatial Transformer Networks".
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=1e-3, epochs=25, batch_size=64, schedule="cosine", weight_decay=0.01, least_steps=1000
    )

    kind: Literal["stn_cnn"] = "stn_cnn"
    transform: Literal["affine"] = Field("affine", description="the family of transformations")
    localizer: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [16, 32], max_length=32, description="channels of the localization network's convolutions"
    )
    localizer_hidden: int = Field(32, ge=1, le=65_536, description="units of the localization network's hidden layer")
    channels: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [32, 64], min_length=1, max_length=32, description="channels of each block"
    )
    kernel: Literal[1, 3, 5, 7, 9, 11] = Field(3, description="height and width of the blocks' filters")
    normalization: Literal["batch", "none"] = Field(
        "batch", description="after each block's convolution and hidden layer"
    )
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
        channels = inputs.shape[0]
        localized = [channels, *self.localizer][-1] * _pixels(inputs, len(self.localizer), "localizer")
        pixels = _pixels(inputs, len(self.channels), "channels")
        features = self.channels[-1] * (1 if self.pool == "global" else pixels)
        return SpatialTransformerCNN(self, channels, localized, features, outputs)


def _pixels(inputs: Inputs, halvings: int, field: str) -> int:
    """How many pixels are left of an image after so many halvings. Raises SpecError if none is left."""
    _, height, width = inputs.shape
    if min(height, width) >> halvings == 0:
        most = min(height, width).bit_length() - 1
        raise SpecError(
            f"/architecture/{field}",
            f"{halvings} blocks halve a {height}×{width} image {halvings} times, which leaves no pixel",
            code="shape",
            suggestion=f"at most {most} blocks" if most else "use mlp or linear for images this small",
        )
    return (height >> halvings) * (width >> halvings)


class SpatialTransformerCNN(nn.Module):
    def __init__(self, spec: STNCNN, channels: int, localized: int, features: int, outputs: int) -> None:
        super().__init__()
        localization: OrderedDict[str, nn.Module] = OrderedDict()
        for number, channels_out in enumerate(spec.localizer, 1):
            channels_in = [channels, *spec.localizer][number - 1]
            localization[f"conv{number}"] = nn.Conv2d(channels_in, channels_out, 5, padding=2)
            # Max-pooling before relu gives the same result, and relu then acts on a quarter of the numbers.
            localization[f"pool{number}"] = nn.MaxPool2d(2)
            localization[f"act{number}"] = nn.ReLU()
        theta = nn.Linear(spec.localizer_hidden, 6)
        with torch.no_grad():
            theta.weight.zero_()
            theta.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
        # Few units, and bounded ones: adaptive optimizers move each weight by the learning rate whatever its gradient,
        # so many large units would move the sampled region out of the image within a few steps, and no gradient leads
        # back from there.
        localization["flatten"] = nn.Flatten()
        localization["fc"], localization["tanh"] = nn.Linear(localized, spec.localizer_hidden), nn.Tanh()
        localization["theta"] = theta
        self.localization = nn.Sequential(localization)
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

    def transform(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """x_BCHW, sampled where the localization network points."""
        theta_B23 = self.localization(x_BCHW).unflatten(1, (2, 3))
        # The edge pixels continue beyond the edge: zeros, the mean of all pixels, would draw a frame. On CUDA torch
        # warns that the gradient for the image is not deterministic; this network does not use that gradient.
        return F.grid_sample(
            x_BCHW,
            affine_grid(theta_B23, *x_BCHW.shape[2:]),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = self.head(self.pool(self.blocks(self.transform(x_BCHW))))
        return y_BK


def _block(spec: STNCNN, channels_in: int, channels_out: int) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    normalized = spec.normalization == "batch"
    layers["conv"] = nn.Conv2d(channels_in, channels_out, spec.kernel, padding=spec.kernel // 2, bias=not normalized)
    if normalized:
        layers["bn"] = nn.BatchNorm2d(channels_out)
    layers["act"], layers["pool"] = activation(spec.activation), nn.MaxPool2d(2)
    if spec.activation in MONOTONE:
        layers.move_to_end("act")
    return nn.Sequential(layers)


def affine_grid(theta_B23: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """grid_BHW2, the (x, y) to sample for each output pixel, where the image spans -1 to 1.

    The same as torch's affine_grid, but without its matrix product, which autocast would compute in bfloat16: an error
    of half a pixel.
    """
    theta_B23 = theta_B23.float()
    x_W = (2 * torch.arange(width, device=theta_B23.device) + 1) / width - 1
    y_H1 = ((2 * torch.arange(height, device=theta_B23.device) + 1) / height - 1).unsqueeze(1)
    dx_B211, dy_B211, shift_B211 = (column[:, :, None, None] for column in theta_B23.unbind(2))
    grid_B2HW = dx_B211 * x_W + dy_B211 * y_H1 + shift_B211
    return grid_B2HW.permute(0, 2, 3, 1)
