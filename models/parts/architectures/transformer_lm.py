"""A causal transformer: the next token from those before it."""

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.errors import SpecError
from models.parts.architecture import AnswerLevel, Architecture, InputKind, Inputs, Recipe

ROTATION = 10_000.0


class TransformerLM(Architecture):
    """A decoder of attention that looks back alone, as GPT-2: normalize, attend, add; normalize, transform, add.

    Shapes: x_BT of token numbers to h_BTE to y_BTK, the chances of each next token. Padding is on the right, where
    nothing looks. Vaswani et al. 2017; GPT-2: Radford et al. 2019; rotary positions: Su et al. 2021; SwiGLU: Shazeer
    2020.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"token"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=1e-3, epochs=5, batch_size=32, schedule="cosine", weight_decay=0.1, clip_norm=1.0, least_steps=1000
    )

    kind: Literal["transformer_lm"] = "transformer_lm"
    layers: int = Field(4, ge=1, le=48, description="blocks of attention and a feed-forward network")
    heads: int = Field(4, ge=1, le=64, description="attentions of a block, side by side: they divide the width")
    width: int = Field(128, ge=1, le=8192, description="numbers a token")
    dropout: float = Field(0.0, ge=0, lt=1, description="of embeddings, attention, and what each block adds")
    positions: Literal["learned", "sinusoidal", "rotary"] = Field(
        "learned", description="how a token knows its place: added to it, or turning what attention compares"
    )
    activation: Literal["gelu", "swiglu"] = Field("gelu", description="of the feed-forward network")
    tied: bool = Field(True, description="read tokens and foretell them with one table of weights")

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        if self.width % self.heads:
            raise SpecError(
                "/architecture/heads", f"{self.heads} heads do not divide a width of {self.width}", code="shape"
            )
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise SpecError("/architecture/heads", "rotary positions turn pairs: give each head an even width")
        if self.positions == "sinusoidal" and self.width % 2:
            raise SpecError("/architecture/width", "sinusoidal positions come in pairs: give an even width")
        return Decoder(self, inputs, outputs)


class Decoder(nn.Module):
    def __init__(self, spec: TransformerLM, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        self.positions = spec.positions
        self.embedding = nn.Embedding(inputs.vocabulary, spec.width)
        self.places = nn.Embedding(inputs.shape[0], spec.width) if spec.positions == "learned" else None
        self.dropout = nn.Dropout(spec.dropout)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.layers))
        self.norm = nn.LayerNorm(spec.width)
        # Tied, the table is used twice and kept once.
        self.head = None if spec.tied and outputs == inputs.vocabulary else nn.Linear(spec.width, outputs, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                # What each block adds is drawn smaller, so that the sum of them all does not grow with depth.
                added = name.endswith(("attention.out.weight", "forth.out.weight"))
                nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * spec.layers) if added else 1))
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    @property
    def readout(self) -> list[nn.Linear]:
        return [] if self.head is None else [self.head]

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        h_BTE = self.embedding(x_BT)
        if self.places is not None:
            h_BTE = h_BTE + self.places.weight[: x_BT.shape[1]]
        elif self.positions == "sinusoidal":
            angle_TD = _angles(x_BT.shape[1], h_BTE.shape[2], x_BT.device)
            # As large as the embeddings are when they are drawn.
            h_BTE = h_BTE + 0.02 * torch.cat([angle_TD.sin(), angle_TD.cos()], 1)
        h_BTE = self.dropout(h_BTE)
        for block in self.blocks:
            h_BTE = block(h_BTE)
        h_BTE = self.norm(h_BTE)
        y_BTK: torch.Tensor = F.linear(h_BTE, self.embedding.weight) if self.head is None else self.head(h_BTE)
        return y_BTK


class Block(nn.Module):
    def __init__(self, spec: TransformerLM) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(spec.width), nn.LayerNorm(spec.width)
        self.attention = Attention(spec)
        self.forth = FeedForward(spec)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, h_BTE: torch.Tensor) -> torch.Tensor:
        h_BTE = h_BTE + self.dropout(self.attention(self.first(h_BTE)))
        h_BTE = h_BTE + self.dropout(self.forth(self.second(h_BTE)))
        return h_BTE


class Attention(nn.Module):
    """Each token asks those before it, and itself. H heads of D numbers."""

    def __init__(self, spec: TransformerLM) -> None:
        super().__init__()
        self.heads, self.rotary, self.share = spec.heads, spec.positions == "rotary", spec.dropout
        self.inward = nn.Linear(spec.width, 3 * spec.width)
        self.out = nn.Linear(spec.width, spec.width)

    def forward(self, h_BTE: torch.Tensor) -> torch.Tensor:
        q_BHTD, k_BHTD, v_BHTD = (
            part_BTE.unflatten(2, (self.heads, -1)).transpose(1, 2) for part_BTE in self.inward(h_BTE).chunk(3, 2)
        )
        if self.rotary:
            q_BHTD, k_BHTD = _turned(q_BHTD), _turned(k_BHTD)
        a_BHTD = F.scaled_dot_product_attention(
            q_BHTD, k_BHTD, v_BHTD, is_causal=True, dropout_p=self.share if self.training else 0.0
        )
        a_BTE: torch.Tensor = self.out(a_BHTD.transpose(1, 2).flatten(2))
        return a_BTE


class FeedForward(nn.Module):
    def __init__(self, spec: TransformerLM) -> None:
        super().__init__()
        self.gated = spec.activation == "swiglu"
        # A gate is a third matrix: two thirds of the width make as many weights.
        hidden = 8 * spec.width // 3 if self.gated else 4 * spec.width
        self.inward = nn.Linear(spec.width, 2 * hidden if self.gated else hidden)
        self.out = nn.Linear(hidden, spec.width)

    def forward(self, h_BTE: torch.Tensor) -> torch.Tensor:
        inward = self.inward(h_BTE)
        if self.gated:
            gate, value = inward.chunk(2, 2)
            inward = F.silu(gate) * value
        else:
            inward = F.gelu(inward)
        out_BTE: torch.Tensor = self.out(inward)
        return out_BTE


def _angles(places: int, width: int, device: torch.device) -> torch.Tensor:
    """The angle of each place at each of width / 2 speeds."""
    speeds_D = ROTATION ** (-torch.arange(0, width, 2, device=device) / width)
    return torch.arange(places, device=device)[:, None] * speeds_D


def _turned(x_BHTD: torch.Tensor) -> torch.Tensor:
    """Pairs of numbers turned by the angle of their place: what attention compares is then how far apart they are."""
    angle_TD = _angles(x_BHTD.shape[2], x_BHTD.shape[3], x_BHTD.device)
    cos_TD, sin_TD = angle_TD.cos().to(x_BHTD.dtype), angle_TD.sin().to(x_BHTD.dtype)
    one, other = x_BHTD.chunk(2, 3)
    return torch.cat([one * cos_TD - other * sin_TD, one * sin_TD + other * cos_TD], 3)
