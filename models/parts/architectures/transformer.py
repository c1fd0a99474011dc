"""Transformer encoders for texts.

Shape letters: T and S words (that look, that are looked at), H heads, D numbers a head, W = H·D numbers a word.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.errors import SpecError
from models.nn.activations import DenseActivation, activation, lanes
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe

BASE = 10_000.0
"""Waves of sinusoidal and rotary positions grow from 2π words to this many times as long."""


class Transformer(Architecture):
    """Layers in which every word looks at all others, then the mean over the words and one affine map.

    Shapes: x_BT of word numbers to h_BTW; each layer adds attention(norm(h)) and then feedforward(norm(h)); the norm of
    the mean over real words gives y_BK. Padding is neither looked at nor averaged, so an answer does not depend on the
    other sentences of its batch. Vaswani et al. 2017, with normalization first as in Xiong et al. 2020. A head scores
    with q·k / √D (`dot`) or v·tanh(q + k) (`additive`: Bahdanau, Cho and Bengio 2015). `rotary` (Su et al. 2021) turns
    keys by their distance from the query before they are scored. swiglu: Shazeer 2020.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=5e-4, epochs=5, batch_size=32, schedule="cosine", weight_decay=0.01, clip_norm=1.0, least_steps=1000
    )

    kind: Literal["transformer"] = "transformer"
    attention: Literal["dot", "additive"] = Field("dot", description="how a word scores another; additive costs D-fold")
    positions: Literal["sinusoidal", "learned", "rotary", "none"] = Field(
        "sinusoidal", description="how order is told; none reads a bag of words"
    )
    layers: int = Field(2, ge=1, le=64, description="attention and feed-forward, so many times")
    width: int = Field(128, ge=1, le=8192, description="numbers a word")
    heads: int = Field(4, ge=1, le=256, description="ways of looking in each layer; they share the width evenly")
    feedforward: int = Field(256, ge=1, le=65_536, description="units of each feed-forward's hidden layer")
    activation: DenseActivation = Field(
        "gelu", description="of the feed-forwards; swiglu has a gate, and so half as many weights again"
    )
    dropout: float = Field(
        0.3, ge=0, lt=1, description="share left out of embeddings, of what layers add, and of y's input"
    )

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        even = 2 if self.positions == "rotary" else 1
        if self.width % (self.heads * even):
            fitting = [heads for heads in range(1, 257) if self.width % (heads * even) == 0]
            near = sorted(sorted(fitting, key=lambda heads: abs(heads - self.heads))[:8])
            uneven = self.width % self.heads != 0
            raise SpecError(
                "/architecture/heads",
                f"{self.heads} heads cannot share a width of {self.width}"
                if uneven
                else f"{self.heads} heads have {self.width // self.heads} numbers each of a width of {self.width}; "
                "rotary positions turn them in pairs",
                code="shape",
                suggestion="heads that fit: " + ", ".join(map(str, near)) if near else "an even width",
            )
        return Encoder(self, inputs, outputs)


class Encoder(nn.Module):
    def __init__(self, spec: Transformer, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        (length,) = inputs.shape
        self.embedding = nn.Embedding(inputs.vocabulary, spec.width, padding_idx=0)
        # Small, and multiplied up where they are read: so words move √W times faster than other weights.
        nn.init.normal_(self.embedding.weight, std=spec.width**-0.5)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
        self.positions = nn.Embedding(length, spec.width) if spec.positions == "learned" else None
        self.sinusoidal = spec.positions == "sinusoidal"
        self.dropout = nn.Dropout(spec.dropout)
        self.layers = nn.ModuleList(Layer(spec) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.width)
        self.head = nn.Linear(spec.width, outputs)

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        real_BT = x_BT != 0
        h_BTW = self.embedding(x_BT) * self.embedding.embedding_dim**0.5
        if self.positions is not None:
            h_BTW = h_BTW + self.positions.weight[: x_BT.shape[1]]
        elif self.sinusoidal:
            h_BTW = h_BTW + sinusoids(x_BT.shape[1], h_BTW.shape[2], h_BTW.device)
        h_BTW = self.dropout(h_BTW)
        for layer in self.layers:
            h_BTW = layer(h_BTW, real_BT)
        mean_BW = (h_BTW * real_BT.unsqueeze(2)).sum(1) / real_BT.sum(1, keepdim=True)
        # The mean is normalized, not each word: dropout makes words longer than they are without it, their mean hardly,
        # and a normalization before the mean would turn that into answers that are too sure.
        y_BK: torch.Tensor = self.head(self.dropout(self.norm(mean_BW)))
        return y_BK


class Layer(nn.Module):
    def __init__(self, spec: Transformer) -> None:
        super().__init__()
        rotary = spec.positions == "rotary"
        width, head_width = spec.width, spec.width // spec.heads
        self.heads = spec.heads
        self.look_norm = nn.LayerNorm(width)
        self.look = nn.Linear(width, 3 * width)
        self.attention = Dot(rotary) if spec.attention == "dot" else Additive(spec.heads, head_width, rotary)
        self.gather = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, spec.feedforward * lanes(spec.activation)),
            activation(spec.activation),
            nn.Linear(spec.feedforward, width),
        )
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, h_BTW: torch.Tensor, real_BT: torch.Tensor) -> torch.Tensor:
        parts_BTW = self.look(self.look_norm(h_BTW)).chunk(3, 2)
        q_BHTD, k_BHSD, v_BHSD = (part_BTW.unflatten(2, (self.heads, -1)).transpose(1, 2) for part_BTW in parts_BTW)
        found_BHTD = self.attention(q_BHTD, k_BHSD, v_BHSD, real_BT[:, None, None])
        h_BTW = h_BTW + self.dropout(self.gather(found_BHTD.transpose(1, 2).flatten(2)))
        h_BTW = h_BTW + self.dropout(self.think(h_BTW))
        return h_BTW


class Dot(nn.Module):
    """softmax(q·k / √D) over the real words, of v."""

    def __init__(self, rotary: bool) -> None:
        super().__init__()
        self.rotary = rotary

    def forward(
        self, q_BHTD: torch.Tensor, k_BHSD: torch.Tensor, v_BHSD: torch.Tensor, real_B11S: torch.Tensor
    ) -> torch.Tensor:
        if self.rotary:
            # Turned by their places, two words' product knows their distance alone.
            place_T = torch.arange(q_BHTD.shape[2], device=q_BHTD.device)
            q_BHTD, k_BHSD = turned(q_BHTD, place_T), turned(k_BHSD, place_T)
        if not q_BHTD.is_cpu:
            return F.scaled_dot_product_attention(q_BHTD, k_BHSD, v_BHSD, real_B11S)
        # On a processor its gradient in bfloat16 is seven times slower than in float32.
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(q_BHTD.float(), k_BHSD.float(), v_BHSD.float(), real_B11S)


class Additive(nn.Module):
    """softmax(u·tanh(q + k)) over the real words, of v; each head has a u of its own."""

    def __init__(self, heads: int, head_width: int, rotary: bool) -> None:
        super().__init__()
        self.rotary = rotary
        self.score_HD = nn.Parameter(torch.empty(heads, head_width).uniform_(-1, 1) * head_width**-0.5)
        # Modules, so that the rehearsal sees the numbers they keep: D for every pair of words.
        self.bend, self.weigh = nn.Tanh(), nn.Softmax(dim=3)

    def forward(
        self, q_BHTD: torch.Tensor, k_BHSD: torch.Tensor, v_BHSD: torch.Tensor, real_B11S: torch.Tensor
    ) -> torch.Tensor:
        k_BHTSD = k_BHSD.unsqueeze(2)
        if self.rotary:
            place_T = torch.arange(q_BHTD.shape[2], device=q_BHTD.device)
            k_BHTSD = turned(k_BHTSD, place_T - place_T.unsqueeze(1))
        scores_BHTS = (self.bend(q_BHTD.unsqueeze(3) + k_BHTSD) @ self.score_HD[:, None, :, None]).squeeze(4)
        weights_BHTS = self.weigh(scores_BHTS.float().masked_fill(~real_B11S, -torch.inf))
        found_BHTD: torch.Tensor = weights_BHTS @ v_BHSD
        return found_BHTD


def waves(places: torch.Tensor, width: int) -> torch.Tensor:
    """Phases of width / 2 waves at each place, the fastest first."""
    index = torch.arange(0, width, 2, dtype=torch.float32, device=places.device)
    return places.float().unsqueeze(-1) * BASE ** (-index / width)


def sinusoids(words: int, width: int, device: torch.device) -> torch.Tensor:
    """p_TW: sine and cosine of each wave side by side."""
    phase = waves(torch.arange(words, device=device), width)
    return torch.stack([phase.sin(), phase.cos()], 2).flatten(1)[:, :width]


def turned(x_D: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """x_…D with its first half as real and its second as imaginary parts, turned by the phases of its place."""
    phase = waves(places, x_D.shape[-1])
    cos, sin = phase.cos(), phase.sin()
    real, imaginary = x_D.chunk(2, -1)
    return torch.cat([real * cos - imaginary * sin, real * sin + imaginary * cos], -1)
