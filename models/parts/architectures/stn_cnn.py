"""Convolutional networks that straighten an image before they read it."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.errors import SpecError
from models.nn.activations import MONOTONE, Activation, activation
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class STNCNN(Architecture):
    """A spatial transformer in front of the blocks and the head of `cnn`: it learns where to look.

    Shapes: a localizer (5×5 convolutions, relu and 2×2 max-pooling, then one hidden layer with tanh) reads x_BCHW and
    gives an affine map a_B23 from places in the output to places in the input, both in [-1, 1]; there the image is
    sampled bilinearly, with its edge continued beyond it; the x_BCHW so straightened goes through `cnn` to y_BK. The
    localizer starts at the identity, so that training begins as that of a plain `cnn`, and it learns at the full rate:
    with less it does not leave the identity in time. Jaderberg, Simonyan, Zisserman and Kavukcuoglu 2015, "Spatial
    Transformer Networks".
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"image"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=1e-3, epochs=25, batch_size=64, schedule="cosine", weight_decay=0.01, least_steps=1000
    )

    kind: Literal["stn_cnn"] = "stn_cnn"
    transform: Literal["affine"] = Field("affine", description="the family of maps the localizer chooses from")
    localizer: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [16, 32], max_length=32, description="channels of the localizer's convolutions"
    )
    localizer_hidden: int = Field(32, ge=1, le=65_536, description="units of the localizer's hidden layer")
    channels: list[Annotated[int, Field(ge=1, le=4096)]] = Field(
        [32, 64], min_length=1, max_length=32, description="channels of each block"
    )
    kernel: Literal[1, 3, 5, 7, 9, 11] = Field(3, description="height and width of the blocks' filters")
    normalization: Literal["batch", "none"] = Field(
        "batch", description="after each block's convolution and hidden layer"
    )
    activation: Activation = Field("relu", description="of blocks and the head's hidden layers")
    pool: Literal["flatten", "global"] = Field("flatten", description="how the last block meets the head")
    hidden: list[Annotated[int, Field(ge=1, le=65_536)]] = Field(
        [128], max_length=16, description="units of the head's hidden layers"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="in the head")

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        channels = inputs.shape[0]
        localized = [channels, *self.localizer][-1] * _pixels(inputs, len(self.localizer), "localizer")
        pixels = _pixels(inputs, len(self.channels), "channels")
        seen = self.channels[-1] * (1 if self.pool == "global" else pixels)
        return Straightening(self, channels, localized, seen, outputs)


def _pixels(inputs: Inputs, halvings: int, field: str) -> int:
    """What so many halvings leave of an image. Raises Refusal where that is nothing."""
    _, height, width = inputs.shape
    if min(height, width) >> halvings == 0:
        most = min(height, width).bit_length() - 1
        raise SpecError(
            f"/architecture/{field}",
            f"{halvings} blocks halve a {height}×{width} image {halvings} times, which leaves nothing of it",
            code="shape",
            suggestion=f"at most {most} blocks" if most else "use mlp or linear for images this small",
        )
    return (height >> halvings) * (width >> halvings)


class Straightening(nn.Module):
    def __init__(self, spec: STNCNN, channels: int, localized: int, seen: int, outputs: int) -> None:
        super().__init__()
        looks: list[nn.Module] = []
        for channels_in, channels_out in zip([channels, *spec.localizer], spec.localizer, strict=False):
            # The maximum before relu is the same function, on a quarter of the numbers.
            looks += [nn.Conv2d(channels_in, channels_out, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()]
        place = nn.Linear(spec.localizer_hidden, 6)
        with torch.no_grad():
            place.weight.zero_()
            place.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))
        # Few units, and bounded: adaptive optimizers move each weight by the rate whatever its gradient, so many large
        # units throw the view out of the picture in a few steps, and from there no gradient leads back.
        self.localizer = nn.Sequential(
            *looks, nn.Flatten(), nn.Linear(localized, spec.localizer_hidden), nn.Tanh(), place
        )
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

    def straighten(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        a_B23 = self.localizer(x_BCHW).unflatten(1, (2, 3))
        # Beyond the edge lies more of the same: 0, which is the mean of all pixels, would paint a frame. On CUDA torch
        # warns that the gradient for the image is not deterministic; none is asked for.
        return F.grid_sample(
            x_BCHW, places(a_B23, *x_BCHW.shape[2:]), mode="bilinear", padding_mode="border", align_corners=False
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BK: torch.Tensor = self.head(self.blocks(self.straighten(x_BCHW)))
        return y_BK


def places(a_B23: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Where to sample for each output pixel: g_BHW2 of (x, y), the image reaching from -1 to 1.

    Written out, since affine_grid multiplies matrices, which autocast would do in bfloat16: half a pixel off.
    """
    a_B23 = a_B23.float()
    x_W = (2 * torch.arange(width, device=a_B23.device) + 1) / width - 1
    y_H1 = ((2 * torch.arange(height, device=a_B23.device) + 1) / height - 1).unsqueeze(1)
    ax_B211, ay_B211, shift_B211 = (column[:, :, None, None] for column in a_B23.unbind(2))
    g_B2HW = ax_B211 * x_W + ay_B211 * y_H1 + shift_B211
    return g_B2HW.permute(0, 2, 3, 1)
