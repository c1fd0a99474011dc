"""The neural probabilistic language model: a network in place of a table of n-grams."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.parts.architecture import AnswerLevel, Architecture, InputKind, Inputs, Recipe


class NeuralNGram(Architecture):
    """The order - 1 tokens before as embeddings side by side, a layer of tanh, and a chance for each next token.

    Shapes: x_BT of token numbers to the C = order - 1 embeddings e_BTF before each next token, F = C · embedding, to
    y_BTK = b + W e + U tanh(d + H e); W is left out unless `direct`. Before the text there are zeros. Bengio, Ducharme,
    Vincent and Jauvin 2003.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"token"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=3e-3, epochs=5, batch_size=32, schedule="cosine", weight_decay=0.01, least_steps=1000
    )

    kind: Literal["neural_ngram"] = "neural_ngram"
    order: int = Field(8, ge=2, le=64, description="tokens of a run: the foretold one and those it is foretold from")
    embedding: int = Field(64, ge=1, le=8192, description="numbers a token")
    hidden: int = Field(256, ge=1, le=65_536, description="units of the hidden layer")
    direct: bool = Field(False, description="connect embeddings and outputs past the hidden layer too")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the hidden layer")

    @property
    def reach(self) -> int:
        return self.order - 1

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        return Neural(self, inputs, outputs)


class Neural(nn.Module):
    def __init__(self, spec: NeuralNGram, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        self.tokens = spec.order - 1
        self.embedding = nn.Embedding(inputs.vocabulary, spec.embedding, padding_idx=0)
        self.hidden = nn.Linear(self.tokens * spec.embedding, spec.hidden)
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(spec.hidden, outputs)
        self.direct = nn.Linear(self.tokens * spec.embedding, outputs, bias=False) if spec.direct else None

    @property
    def readout(self) -> list[nn.Linear]:
        return [self.head] if self.direct is None else [self.head, self.direct]

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        # A window ends with the newest token.
        seen_BTC = F.pad(x_BT, (self.tokens - 1, 0)).unfold(1, self.tokens, 1)
        e_BTF = self.embedding(seen_BTC).flatten(2)
        y_BTK: torch.Tensor = self.head(self.dropout(torch.tanh(self.hidden(e_BTF))))
        return y_BTK if self.direct is None else y_BTK + self.direct(e_BTF)
