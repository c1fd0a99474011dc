"""Recurrent networks over words."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.errors import SpecError
from models.nn.recurrence import fed_back, states
from models.nn.word_dropout import hide
from models.parts.architecture import AnswerLevel, Architecture, InputKind, Inputs, Recipe

Cell = Literal["elman", "jordan", "lstm", "gru"]


class RNN(Architecture):
    """Words, each with its neighbors in a window, through a recurrent layer in one or both directions.

    Shapes: x_BT of word numbers to h_BTH, and to one answer a word y_BTK, or to y_BK from the mean over the words.
    Neither direction sees padding, so an answer does not depend on the other rows of its batch. Elman 1990 feeds the
    hidden state back, Jordan 1986 the output; LSTM: Hochreiter and Schmidhuber 1997; GRU: Cho et al. 2014; the window
    and slot filling: Mesnil et al. 2015.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"row", "word", "token"})
    recipe: ClassVar[Recipe] = Recipe(
        "adam", lr=2e-3, epochs=15, batch_size=16, schedule="cosine", clip_norm=5.0, least_steps=1000
    )

    any_length: ClassVar[bool] = True

    kind: Literal["rnn"] = "rnn"
    cell: Cell = Field("lstm", description="what is fed back: jordan the output, the others their state")
    bidirectional: bool | None = Field(
        None,
        description="read backwards too, with weights of its own; null: where the next word is not what is asked for",
    )
    layers: int = Field(1, ge=1, le=8, description="recurrent layers, one upon the other")
    hidden: int = Field(128, ge=1, le=8192, description="units of each direction")
    embedding: int = Field(128, ge=1, le=8192, description="numbers a word")
    window: int = Field(1, ge=1, le=31, description="words seen at once: an odd number, the word in the middle")
    dropout: float = Field(0.3, ge=0, lt=1, description="of embeddings, between layers, and before the head")
    unknown: float = Field(
        0.3, ge=0, lt=1, description="how often a word seen once is hidden in training, for unknown words to be learned"
    )

    def settled(self, causal: bool) -> Self:
        return self if self.bidirectional is not None else self.model_copy(update={"bidirectional": not causal})

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        if self.window % 2 == 0:
            raise SpecError("/architecture/window", "a window has its word in the middle: give an odd number")
        if inputs.causal and self.bidirectional:
            raise SpecError(
                "/architecture/bidirectional", "backwards, the next word would be seen before it is foretold"
            )
        if inputs.causal and self.window > 1:
            raise SpecError("/architecture/window", "a window would show the next word: give 1 to foretell it")
        if self.cell == "jordan" and self.layers > 1:
            raise SpecError("/architecture/layers", "a jordan network feeds its one output back: give layers 1")
        return Recurrent(self.settled(inputs.causal), inputs, outputs)


class Recurrent(nn.Module):
    def __init__(self, spec: RNN, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        self.window, self.unknown, self.rare = spec.window, spec.unknown, inputs.rare
        self.per_word = inputs.per_word
        self.embedding = nn.Embedding(inputs.vocabulary, spec.embedding, padding_idx=0)
        nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
        self.dropout = nn.Dropout(spec.dropout)
        ways = 2 if spec.bidirectional else 1
        widths = [spec.embedding * spec.window] + [spec.hidden * ways] * (spec.layers - 1)
        self.forwards = nn.ModuleList(_direction(spec, width, outputs) for width in widths)
        self.backwards = nn.ModuleList(_direction(spec, width, outputs) for width in widths if spec.bidirectional)
        self.head = nn.Linear(spec.hidden * ways, outputs)

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        real_BT = x_BT != 0
        if self.training and self.unknown > 0:
            x_BT = hide(x_BT, self.rare, self.unknown)
        h_BTE = self._windows(self.dropout(self.embedding(x_BT)))
        turned_BT = _turned(real_BT)
        for number, onwards in enumerate(self.forwards):
            ahead_BTH = onwards(h_BTE)
            if self.backwards:
                back_BTH = _gather(self.backwards[number](_gather(h_BTE, turned_BT)), turned_BT)
                ahead_BTH = torch.cat([ahead_BTH, back_BTH], 2)
            h_BTE = self.dropout(ahead_BTH)
        if self.per_word:
            y_BTK: torch.Tensor = self.head(h_BTE)
            return y_BTK
        weight_BT1 = real_BT.unsqueeze(2).to(h_BTE.dtype)
        y_BK: torch.Tensor = self.head((h_BTE * weight_BT1).sum(1) / weight_BT1.sum(1).clamp(min=1))
        return y_BK

    def _windows(self, e_BTE: torch.Tensor) -> torch.Tensor:
        """Each word's embedding between those of its neighbors; beyond the sentence there are zeros."""
        reach = self.window // 2
        if reach == 0:
            return e_BTE
        padded = F.pad(e_BTE, (0, 0, reach, reach))
        words = e_BTE.shape[1]
        return torch.cat([padded[:, shift : shift + words] for shift in range(self.window)], 2)


def _direction(spec: RNN, width: int, outputs: int) -> nn.Module:
    match spec.cell:
        case "elman":
            return States(nn.RNN(width, spec.hidden, batch_first=True))
        case "lstm":
            return States(nn.LSTM(width, spec.hidden, batch_first=True))
        case "gru":
            return States(nn.GRU(width, spec.hidden, batch_first=True))
        case "jordan":
            return Jordan(width, spec.hidden, outputs)


class States(nn.Module):
    """The hidden states of a recurrent layer, x_BTE to h_BTH."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x_BTE: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_exporting():
            return states(self.layer, x_BTE)
        h_BTH: torch.Tensor = self.layer(x_BTE)[0]
        return h_BTH


class Jordan(nn.Module):
    """h_t = tanh(W x_t + U y_(t-1) + b), y_t = softmax(V h_t + c): the output is fed back, not the state."""

    def __init__(self, width: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.inward = nn.Linear(width, hidden)
        self.back = nn.Linear(outputs, hidden, bias=False)
        self.outward = nn.Linear(hidden, outputs)

    def forward(self, x_BTE: torch.Tensor) -> torch.Tensor:
        inward_BTH = self.inward(x_BTE)
        y_BK = x_BTE.new_zeros(x_BTE.shape[0], self.outward.out_features)
        if torch.compiler.is_exporting():
            return fed_back(self._step, y_BK, inward_BTH)
        seen = []
        for inward_BH in inward_BTH.unbind(1):
            y_BK, h_BH = self._step(y_BK, inward_BH)
            seen.append(h_BH)
        return torch.stack(seen, 1)

    def _step(self, y_BK: torch.Tensor, inward_BH: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h_BH = torch.tanh(inward_BH + self.back(y_BK))
        return torch.softmax(self.outward(h_BH), 1), h_BH


def _turned(real_BT: torch.Tensor) -> torch.Tensor:
    """Positions that turn each sentence round and leave its padding where it is; turning twice changes nothing."""
    places_BT = torch.arange(real_BT.shape[1], device=real_BT.device).expand(real_BT.shape)
    turned_BT = real_BT.sum(1, keepdim=True) - 1 - places_BT
    return torch.where(turned_BT >= 0, turned_BT, places_BT)


def _gather(x_BTE: torch.Tensor, places_BT: torch.Tensor) -> torch.Tensor:
    return x_BTE.gather(1, places_BT.unsqueeze(2).expand(-1, -1, x_BTE.shape[2]))
