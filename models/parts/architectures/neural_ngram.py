"""The neural probabilistic language model: a network instead of a table of n-grams."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.nn.dropout import Dropout
from models.parts.architecture import AnswerLevel, Architecture, InputKind, Inputs, Recipe


class NeuralNGram(Architecture):
    """Predicts the next token from the embeddings of the order - 1 tokens before it, through one tanh layer.

    Shapes: x_BT of token numbers to e_BTF, the C = order - 1 embeddings before each next token (F = C · embedding), to
    y_BTK = b + W e + U tanh(d + H e). W exists only if `direct` is true. Positions before the text are padding. Bengio,
    Ducharme, Vincent and Jauvin 2003.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"token"})
    recipe: ClassVar[Recipe] = Recipe(
        "adamw", lr=3e-3, epochs=5, batch_size=32, schedule="cosine", weight_decay=0.01, least_steps=1000
    )

    kind: Literal["neural_ngram"] = "neural_ngram"
    order: int = Field(8, ge=2, le=64, description="n: the tokens that the prediction reads, plus the predicted one")
    embedding: int = Field(64, ge=1, le=8192, description="size of a token's embedding")
    hidden: int = Field(256, ge=1, le=65_536, description="units of the hidden layer")
    direct: bool = Field(False, description="also connect the embeddings to the outputs directly")
    dropout: float = Field(0.0, ge=0, lt=1, description="probability that a hidden unit is zeroed")

    @property
    def reach(self) -> int:
        return self.order - 1

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        return NeuralNGramModel(self, inputs, outputs)


class NeuralNGramModel(nn.Module):
    def __init__(self, spec: NeuralNGram, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        self.context = spec.order - 1
        self.embedding = nn.Embedding(inputs.vocabulary, spec.embedding, padding_idx=0)
        self.hidden = nn.Linear(self.context * spec.embedding, spec.hidden)
        self.dropout = Dropout(spec.dropout)
        self.head = nn.Linear(spec.hidden, outputs)
        self.direct = nn.Linear(self.context * spec.embedding, outputs, bias=False) if spec.direct else None

    @property
    def output_layers(self) -> list[nn.Linear]:
        return [self.head] if self.direct is None else [self.head, self.direct]

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        # Each window ends with the newest token.
        window_BTC = F.pad(x_BT, (self.context - 1, 0)).unfold(1, self.context, 1)
        e_BTF = self.embedding(window_BTC).flatten(2)
        y_BTK: torch.Tensor = self.head(self.dropout(torch.tanh(self.hidden(e_BTF))))
        return y_BTK if self.direct is None else y_BTK + self.direct(e_BTF)
