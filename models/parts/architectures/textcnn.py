"""Convolutions over words."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.nn.word_dropout import hide
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class TextCNN(Architecture):
    """Convolutions of several widths over word embeddings, the largest answer of each, dropout, one affine map.

    Shapes: x_BT of word numbers to e_BET to one number a channel and width, to y_BK. Padding never wins the maximum, so
    an answer does not depend on the other sentences of its batch. Kim 2014, "Convolutional Neural Networks for
    Sentence Classification" (CNN-rand: embeddings start uniform in ±0.25).
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    recipe: ClassVar[Recipe] = Recipe("adam", lr=1e-3, epochs=6, batch_size=50, least_steps=300)

    kind: Literal["textcnn"] = "textcnn"
    widths: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        [3, 4, 5], min_length=1, max_length=16, description="words each group of filters sees at once"
    )
    channels: int = Field(100, ge=1, le=8192, description="filters of each width")
    embedding: int = Field(300, ge=1, le=8192, description="numbers a word")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of the answers left out of a training step")
    unknown: float = Field(
        0.3, ge=0, lt=1, description="how often a word seen once is hidden in training, for unknown words to be learned"
    )

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        return SentenceCNN(self, inputs, outputs)


class SentenceCNN(nn.Module):
    def __init__(self, spec: TextCNN, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        self.unknown, self.rare = spec.unknown, inputs.rare
        self.embedding = nn.Embedding(inputs.vocabulary, spec.embedding, padding_idx=0)
        nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
        self.convolutions = nn.ModuleList(
            # Windows may hang over both ends, so that a sentence shorter than a filter is still read.
            nn.Conv1d(spec.embedding, spec.channels, width, padding=width - 1)
            for width in spec.widths
        )
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(spec.channels * len(spec.widths), outputs)

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        if self.training and self.unknown > 0:
            x_BT = hide(x_BT, self.rare, self.unknown)
        e_BET = self.embedding(x_BT).transpose(1, 2)
        real_BT = (x_BT != 0).to(e_BET.dtype)
        found = []
        for convolution in self.convolutions:
            answers_BCT = F.relu(convolution(e_BET))
            # A window counts when it starts before the sentence ends: padding is on the right alone.
            over = answers_BCT.shape[2] - real_BT.shape[1]
            counts_BT = F.pad(real_BT, (over, 0), value=1.0)
            found.append((answers_BCT * counts_BT.unsqueeze(1)).amax(2))
        y_BK: torch.Tensor = self.head(self.dropout(torch.cat(found, 1)))
        return y_BK
