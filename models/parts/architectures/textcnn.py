"""Convolutional networks for sentences."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.nn.dropout import Dropout
from models.nn.word_dropout import word_dropout
from models.parts.architecture import Architecture, InputKind, Inputs, Recipe


class TextCNN(Architecture):
    """Convolutions of several widths over word embeddings, max-pooling over time, dropout, one linear layer.

    Shapes: x_BT of word numbers to e_BET, to one number per channel and width, to y_BK. Padding never wins the maximum,
    so an output does not depend on the other sentences of its batch. Kim 2014, "Convolutional Neural Networks for
    Sentence Classification" (CNN-rand: embeddings start uniform in ±0.25).
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    recipe: ClassVar[Recipe] = Recipe("adam", lr=1e-3, epochs=6, batch_size=50, least_steps=300)

    kind: Literal["textcnn"] = "textcnn"
    widths: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        [3, 4, 5], min_length=1, max_length=16, description="kernel sizes, in words: one group of filters for each"
    )
    channels: int = Field(100, ge=1, le=8192, description="filters per width")
    embedding: int = Field(300, ge=1, le=8192, description="size of a word's embedding")
    dropout: float = Field(0.5, ge=0, lt=1, description="probability that a pooled feature is zeroed in training")
    word_dropout: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="probability that a word that occurs once in the training part is replaced by the unknown word",
    )

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        return SentenceCNN(self, inputs, outputs)


class SentenceCNN(nn.Module):
    def __init__(self, spec: TextCNN, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        self.word_dropout, self.rare = spec.word_dropout, inputs.rare
        self.embedding = nn.Embedding(inputs.vocabulary, spec.embedding, padding_idx=0)
        nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
        self.convs = nn.ModuleList(
            # Windows may reach beyond both ends, so that a sentence shorter than a filter is still read.
            nn.Conv1d(spec.embedding, spec.channels, width, padding=width - 1)
            for width in spec.widths
        )
        self.dropout = Dropout(spec.dropout)
        self.head = nn.Linear(spec.channels * len(spec.widths), outputs)

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        if self.training and self.word_dropout > 0:
            x_BT = word_dropout(x_BT, self.rare, self.word_dropout)
        e_BET = self.embedding(x_BT).transpose(1, 2)
        mask_BT = (x_BT != 0).to(e_BET.dtype)
        pooled = []
        for conv in self.convs:
            features_BCT = F.relu(conv(e_BET))
            # A window counts if it starts before the sentence ends: padding is on the right only.
            overhang = features_BCT.shape[2] - mask_BT.shape[1]
            valid_BT = F.pad(mask_BT, (overhang, 0), value=1.0)
            pooled.append((features_BCT * valid_BT.unsqueeze(1)).amax(2))
        y_BK: torch.Tensor = self.head(self.dropout(torch.cat(pooled, 1)))
        return y_BK
