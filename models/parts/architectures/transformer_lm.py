"""Causal transformers that predict the next token from the tokens before it."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.errors import SpecError
from models.nn.attention import attend
from models.nn.dropout import Dropout
from models.parts.architecture import AnswerLevel, Architecture, InputKind, Inputs, Recipe

BASE = 10_000.0
"""The wavelengths of sinusoidal and rotary positions range from 2π tokens to this many times as long."""


class TransformerLM(Architecture):
    """A decoder as in GPT-2: blocks of causal self-attention and a feed-forward network, each after a normalization.

    Shapes: x_BT of token numbers to h_BTE to y_BTK, the scores of each next token. Padding is on the right, where no
    token attends to it. Vaswani et al. 2017; GPT-2: Radford et al. 2019; rotary positions: Su et al. 2021; SwiGLU:
    Shazeer 2020.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"token"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=1e-3, epochs=5, batch_size=32, schedule="cosine", weight_decay=0.1, clip_norm=1.0, least_steps=1000
    )

    kind: Literal["transformer_lm"] = "transformer_lm"
    layers: int = Field(4, ge=1, le=48, description="number of blocks, each of attention and a feed-forward network")
    heads: int = Field(4, ge=1, le=64, description="attention heads per block; they divide the width")
    width: int = Field(128, ge=1, le=8192, description="size of a token's vector")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="dropout of embeddings, attention weights, and each block's two additions"
    )
    positions: Literal["learned", "sinusoidal", "rotary"] = Field(
        "learned", description="how tokens know their position: added to embeddings, or by rotating queries and keys"
    )
    activation: Literal["gelu", "swiglu"] = Field("gelu", description="activation of the feed-forward networks")
    tied: bool = Field(True, description="use the token embedding as the weights of the output layer")

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        if self.width % self.heads:
            raise SpecError(
                "/architecture/heads", f"{self.heads} heads do not divide a width of {self.width}", code="shape"
            )
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise SpecError(
                "/architecture/heads", "rotary positions need an even width per head: give width / heads an even value"
            )
        if self.positions == "sinusoidal" and self.width % 2:
            raise SpecError("/architecture/width", "sinusoidal positions need an even width")
        return Decoder(self, inputs, outputs)


class Decoder(nn.Module):
    def __init__(self, spec: TransformerLM, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        self.positions = spec.positions
        self.tok_emb = nn.Embedding(inputs.vocabulary, spec.width)
        self.pos_emb = nn.Embedding(inputs.shape[0], spec.width) if spec.positions == "learned" else None
        self.dropout = Dropout(spec.dropout)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.layers))
        self.ln_f = nn.LayerNorm(spec.width)
        # When tied, the embedding is also the output layer, and is stored once.
        self.head = None if spec.tied and outputs == inputs.vocabulary else nn.Linear(spec.width, outputs, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                # The last layer of each addition starts smaller, so that the sum does not grow with the depth.
                residual = name.endswith(("attn.proj.weight", "mlp.fc2.weight"))
                nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * spec.layers) if residual else 1))
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    @property
    def output_layers(self) -> list[nn.Linear]:
        return [] if self.head is None else [self.head]

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        h_BTE = self.tok_emb(x_BT)
        if self.pos_emb is not None:
            h_BTE = h_BTE + self.pos_emb.weight[: x_BT.shape[1]]
        elif self.positions == "sinusoidal":
            phase_TD = _phases(x_BT.shape[1], h_BTE.shape[2], x_BT.device)
            # Scaled to the size of the initial embeddings.
            h_BTE = h_BTE + 0.02 * torch.cat([phase_TD.sin(), phase_TD.cos()], 1)
        h_BTE = self.dropout(h_BTE)
        for block in self.blocks:
            h_BTE = block(h_BTE)
        h_BTE = self.ln_f(h_BTE)
        y_BTK: torch.Tensor = F.linear(h_BTE, self.tok_emb.weight) if self.head is None else self.head(h_BTE)
        return y_BTK


class Block(nn.Module):
    def __init__(self, spec: TransformerLM) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(spec.width), nn.LayerNorm(spec.width)
        self.attn = CausalSelfAttention(spec)
        self.mlp = FeedForward(spec)
        self.dropout = Dropout(spec.dropout)

    def forward(self, h_BTE: torch.Tensor) -> torch.Tensor:
        h_BTE = h_BTE + self.dropout(self.attn(self.ln_1(h_BTE)))
        h_BTE = h_BTE + self.dropout(self.mlp(self.ln_2(h_BTE)))
        return h_BTE


class CausalSelfAttention(nn.Module):
    """Each token attends to itself and to the tokens before it. Shape letters: H heads of D numbers."""

    def __init__(self, spec: TransformerLM) -> None:
        super().__init__()
        self.heads, self.rotary, self.dropout_p = spec.heads, spec.positions == "rotary", spec.dropout
        self.qkv = nn.Linear(spec.width, 3 * spec.width)
        self.proj = nn.Linear(spec.width, spec.width)

    def forward(self, h_BTE: torch.Tensor) -> torch.Tensor:
        q_BHTD, k_BHTD, v_BHTD = (
            part_BTE.unflatten(2, (self.heads, -1)).transpose(1, 2) for part_BTE in self.qkv(h_BTE).chunk(3, 2)
        )
        if self.rotary:
            q_BHTD, k_BHTD = _rotate(q_BHTD), _rotate(k_BHTD)
        a_BHTD = attend(q_BHTD, k_BHTD, v_BHTD, causal=True, dropout=self.dropout_p if self.training else 0.0)
        a_BTE: torch.Tensor = self.proj(a_BHTD.transpose(1, 2).flatten(2))
        return a_BTE


class FeedForward(nn.Module):
    def __init__(self, spec: TransformerLM) -> None:
        super().__init__()
        self.gated = spec.activation == "swiglu"
        # The gate is a third matrix: with two thirds of the hidden width the number of weights stays the same.
        hidden = 8 * spec.width // 3 if self.gated else 4 * spec.width
        self.fc1 = nn.Linear(spec.width, 2 * hidden if self.gated else hidden)
        self.fc2 = nn.Linear(hidden, spec.width)

    def forward(self, h_BTE: torch.Tensor) -> torch.Tensor:
        hidden = self.fc1(h_BTE)
        if self.gated:
            gate, value = hidden.chunk(2, 2)
            hidden = F.silu(gate) * value
        else:
            hidden = F.gelu(hidden)
        y_BTE: torch.Tensor = self.fc2(hidden)
        return y_BTE


def _phases(positions: int, width: int, device: torch.device) -> torch.Tensor:
    """phase_TD: position times frequency, for width / 2 frequencies."""
    frequency_D = BASE ** (-torch.arange(0, width, 2, device=device) / width)
    return torch.arange(positions, device=device)[:, None] * frequency_D


def _rotate(x_BHTD: torch.Tensor) -> torch.Tensor:
    """Pairs of numbers rotated by the phase of their position: their dot product then depends on the distance only."""
    phase_TD = _phases(x_BHTD.shape[2], x_BHTD.shape[3], x_BHTD.device)
    cos_TD, sin_TD = phase_TD.cos().to(x_BHTD.dtype), phase_TD.sin().to(x_BHTD.dtype)
    real, imaginary = x_BHTD.chunk(2, 3)
    return torch.cat([real * cos_TD - imaginary * sin_TD, real * sin_TD + imaginary * cos_TD], 3)
