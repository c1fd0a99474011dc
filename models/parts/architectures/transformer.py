"""Transformer encoders for texts.

Shape letters: T words as queries, S words as keys, H heads, D numbers per head, W = H·D numbers per word.
"""

from collections import OrderedDict
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from models.errors import SpecError
from models.nn.activations import DenseActivation, activation, input_multiplier
from models.nn.attention import attend
from models.nn.dropout import Dropout
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe

BASE = 10_000.0
"""The wavelengths of sinusoidal and rotary positions range from 2π words to this many times as long."""


class Transformer(Architecture):
    """Layers of self-attention and feed-forward networks, then the mean over the words and one linear layer.

    Shapes: x_BT of word numbers to h_BTW. Each layer adds attention(norm(h)) and then mlp(norm(h)); the norm of the
    mean over the words gives y_BK. Padding is neither attended to nor averaged, so an output does not depend on the
    other sentences of its batch. Vaswani et al. 2017, with normalization first as in Xiong et al. 2020. A head scores a
    pair of words with q·k / √D (`dot`) or v·tanh(q + k) (`additive`: Bahdanau, Cho and Bengio 2015). `rotary` (Su et
    al. 2021) rotates keys by their distance from the query before the score. swiglu: Shazeer 2020.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=5e-4, epochs=5, batch_size=32, schedule="cosine", weight_decay=0.01, clip_norm=1.0, least_steps=1000
    )

    kind: Literal["transformer"] = "transformer"
    attention: Literal["dot", "additive"] = Field(
        "dot", description="how a pair of words is scored; additive costs D times as much"
    )
    positions: Literal["sinusoidal", "learned", "rotary", "none"] = Field(
        "sinusoidal", description="how words know their position; none ignores the order of words"
    )
    layers: int = Field(2, ge=1, le=64, description="number of layers, each of attention and a feed-forward network")
    width: int = Field(128, ge=1, le=8192, description="size of a word's vector")
    heads: int = Field(4, ge=1, le=256, description="attention heads per layer; they divide the width")
    feedforward: int = Field(256, ge=1, le=65_536, description="hidden units of each feed-forward network")
    activation: DenseActivation = Field(
        "gelu",
        description="activation of the feed-forward networks; swiglu has a gate, which adds half as many weights again",
    )
    dropout: float = Field(
        0.3, ge=0, lt=1, description="dropout of embeddings, of each layer's two additions, and before the head"
    )

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        even = 2 if self.positions == "rotary" else 1
        if self.width % (self.heads * even):
            fitting = [heads for heads in range(1, 257) if self.width % (heads * even) == 0]
            near = sorted(sorted(fitting, key=lambda heads: abs(heads - self.heads))[:8])
            uneven = self.width % self.heads != 0
            raise SpecError(
                "/architecture/heads",
                f"{self.heads} heads do not divide a width of {self.width}"
                if uneven
                else f"{self.heads} heads of a width of {self.width} have {self.width // self.heads} numbers each; "
                "rotary positions need an even number",
                code="shape",
                suggestion="heads that fit: " + ", ".join(map(str, near)) if near else "an even width",
            )
        return Encoder(self, inputs, outputs)


class Encoder(nn.Module):
    def __init__(self, spec: Transformer, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        (length,) = inputs.shape
        self.tok_emb = nn.Embedding(inputs.vocabulary, spec.width, padding_idx=0)
        # Small, and scaled up in the forward pass: embeddings then move √W times faster than other weights.
        nn.init.normal_(self.tok_emb.weight, std=spec.width**-0.5)
        with torch.no_grad():
            self.tok_emb.weight[0].zero_()
        self.pos_emb = nn.Embedding(length, spec.width) if spec.positions == "learned" else None
        self.sinusoidal = spec.positions == "sinusoidal"
        self.dropout = Dropout(spec.dropout)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.layers))
        self.ln_f = nn.LayerNorm(spec.width)
        self.head = nn.Linear(spec.width, outputs)

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        mask_BT = x_BT != 0
        h_BTW = self.tok_emb(x_BT) * self.tok_emb.embedding_dim**0.5
        if self.pos_emb is not None:
            h_BTW = h_BTW + self.pos_emb.weight[: x_BT.shape[1]]
        elif self.sinusoidal:
            h_BTW = h_BTW + sinusoidal_positions(x_BT.shape[1], h_BTW.shape[2], h_BTW.device)
        h_BTW = self.dropout(h_BTW)
        for block in self.blocks:
            h_BTW = block(h_BTW, mask_BT)
        mean_BW = (h_BTW * mask_BT.unsqueeze(2)).sum(1) / mask_BT.sum(1, keepdim=True)
        # The mean is normalized, not each word: dropout lengthens the vectors of words, but hardly their mean, and a
        # normalization before the mean would make the outputs overconfident without dropout.
        y_BK: torch.Tensor = self.head(self.dropout(self.ln_f(mean_BW)))
        return y_BK


class Block(nn.Module):
    def __init__(self, spec: Transformer) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(spec.width)
        self.attn = SelfAttention(spec)
        self.ln_2 = nn.LayerNorm(spec.width)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["fc1"] = nn.Linear(spec.width, spec.feedforward * input_multiplier(spec.activation))
        layers["act"] = activation(spec.activation)
        layers["fc2"] = nn.Linear(spec.feedforward, spec.width)
        self.mlp = nn.Sequential(layers)
        self.dropout = Dropout(spec.dropout)

    def forward(self, h_BTW: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
        h_BTW = h_BTW + self.dropout(self.attn(self.ln_1(h_BTW), mask_BT))
        h_BTW = h_BTW + self.dropout(self.mlp(self.ln_2(h_BTW)))
        return h_BTW


class SelfAttention(nn.Module):
    def __init__(self, spec: Transformer) -> None:
        super().__init__()
        rotary, head_width = spec.positions == "rotary", spec.width // spec.heads
        self.heads = spec.heads
        self.qkv = nn.Linear(spec.width, 3 * spec.width)
        additive = spec.attention == "additive"
        self.core = AdditiveAttention(spec.heads, head_width, rotary) if additive else DotProductAttention(rotary)
        self.proj = nn.Linear(spec.width, spec.width)

    def forward(self, h_BTW: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
        q_BHTD, k_BHSD, v_BHSD = (
            part_BTW.unflatten(2, (self.heads, -1)).transpose(1, 2) for part_BTW in self.qkv(h_BTW).chunk(3, 2)
        )
        a_BHTD = self.core(q_BHTD, k_BHSD, v_BHSD, mask_BT[:, None, None])
        a_BTW: torch.Tensor = self.proj(a_BHTD.transpose(1, 2).flatten(2))
        return a_BTW


class DotProductAttention(nn.Module):
    """softmax(q·k / √D) · v over the words that the mask admits."""

    def __init__(self, rotary: bool) -> None:
        super().__init__()
        self.rotary = rotary

    def forward(
        self, q_BHTD: torch.Tensor, k_BHSD: torch.Tensor, v_BHSD: torch.Tensor, mask_B11S: torch.Tensor
    ) -> torch.Tensor:
        if self.rotary:
            # After the rotation the product of two words depends on their distance only.
            position_T = torch.arange(q_BHTD.shape[2], device=q_BHTD.device)
            q_BHTD, k_BHSD = rotate(q_BHTD, position_T), rotate(k_BHSD, position_T)
        return attend(q_BHTD, k_BHSD, v_BHSD, mask=mask_B11S)


class AdditiveAttention(nn.Module):
    """softmax(u·tanh(q + k)) · v over the words that the mask admits; each head has its own u, `score_weight`."""

    def __init__(self, heads: int, head_width: int, rotary: bool) -> None:
        super().__init__()
        self.rotary = rotary
        self.score_weight = nn.Parameter(torch.empty(heads, head_width).uniform_(-1, 1) * head_width**-0.5)
        # Modules, so that the rehearsal counts the numbers that they keep: D for every pair of words.
        self.tanh, self.softmax = nn.Tanh(), nn.Softmax(dim=3)

    def forward(
        self, q_BHTD: torch.Tensor, k_BHSD: torch.Tensor, v_BHSD: torch.Tensor, mask_B11S: torch.Tensor
    ) -> torch.Tensor:
        k_BHTSD = k_BHSD.unsqueeze(2)
        if self.rotary:
            position_T = torch.arange(q_BHTD.shape[2], device=q_BHTD.device)
            k_BHTSD = rotate(k_BHTSD, position_T - position_T.unsqueeze(1))
        scores_BHTS = (self.tanh(q_BHTD.unsqueeze(3) + k_BHTSD) @ self.score_weight[:, None, :, None]).squeeze(4)
        weights_BHTS = self.softmax(scores_BHTS.float().masked_fill(~mask_B11S, -torch.inf))
        a_BHTD: torch.Tensor = weights_BHTS @ v_BHSD
        return a_BHTD


def phases(position: torch.Tensor, width: int) -> torch.Tensor:
    """Position times frequency, for width / 2 frequencies, the highest first."""
    index = torch.arange(0, width, 2, dtype=torch.float32, device=position.device)
    return position.float().unsqueeze(-1) * BASE ** (-index / width)


def sinusoidal_positions(words: int, width: int, device: torch.device) -> torch.Tensor:
    """p_TW: the sine and the cosine of each phase, alternating."""
    phase = phases(torch.arange(words, device=device), width)
    return torch.stack([phase.sin(), phase.cos()], 2).flatten(1)[:, :width]


def rotate(x_D: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """x_…D, its halves read as real and imaginary parts, rotated by the phases of its position."""
    phase = phases(position, x_D.shape[-1])
    cos, sin = phase.cos(), phase.sin()
    real, imaginary = x_D.chunk(2, -1)
    return torch.cat([real * cos - imaginary * sin, real * sin + imaginary * cos], -1)
