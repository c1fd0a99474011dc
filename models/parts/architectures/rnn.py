"""Recurrent networks over words."""

from typing import ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from models.errors import SpecError
from models.nn.dropout import Dropout
from models.nn.recurrence import hidden_states, scan_words
from models.nn.word_dropout import word_dropout
from models.parts.architecture import AnswerLevel, Architecture, InputKind, Inputs, Recipe

Cell = Literal["elman", "jordan", "lstm", "gru"]


class RNN(Architecture):
    """Recurrent layers, in one or both directions, over words or over windows of words.

    Shapes: x_BT of word numbers to h_BTH, then to one output per word y_BTK, or to y_BK from the mean over the words.
    Neither direction sees padding, so an output does not depend on the other rows of its batch. Elman 1990 feeds back
    the hidden state, Jordan 1986 the output; LSTM: Hochreiter and Schmidhuber 1997; GRU: Cho et al. 2014; the window
    and slot filling: Mesnil et al. 2015.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"row", "word", "token"})
    recipe: ClassVar[Recipe] = Recipe(
        "adam", lr=2e-3, epochs=15, batch_size=16, schedule="cosine", clip_norm=5.0, least_steps=1000
    )

    any_length: ClassVar[bool] = True

    kind: Literal["rnn"] = "rnn"
    cell: Cell = Field(
        "lstm", description="the recurrent cell; jordan feeds back its output, the others their hidden state"
    )
    bidirectional: bool | None = Field(
        None,
        description="also read the words backwards, with separate weights; null: yes, except in language modeling",
    )
    layers: int = Field(1, ge=1, le=8, description="number of stacked recurrent layers")
    hidden: int = Field(128, ge=1, le=8192, description="hidden units per direction")
    embedding: int = Field(128, ge=1, le=8192, description="size of a word's embedding")
    window: int = Field(
        1, ge=1, le=31, description="words that each step reads: an odd number, with the step's own word in the middle"
    )
    dropout: float = Field(0.3, ge=0, lt=1, description="dropout of embeddings, between layers and before the head")
    word_dropout: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="probability that a word that occurs once in the training part is replaced by the unknown word",
    )

    def settled(self, causal: bool) -> Self:
        return self if self.bidirectional is not None else self.model_copy(update={"bidirectional": not causal})

    def build(self, inputs: Inputs, outputs: int) -> nn.Module:
        if self.window % 2 == 0:
            raise SpecError("/architecture/window", "a window is symmetric about its word: give an odd number")
        if inputs.causal and self.bidirectional:
            raise SpecError(
                "/architecture/bidirectional",
                "a language model predicts the next word, which a backward layer would read: give false",
            )
        if inputs.causal and self.window > 1:
            raise SpecError(
                "/architecture/window", "a language model predicts the next word, which a window would show: give 1"
            )
        if self.cell == "jordan" and self.layers > 1:
            raise SpecError(
                "/architecture/layers", "a jordan network feeds back its output, which one layer has: give layers 1"
            )
        return RecurrentNetwork(self.settled(inputs.causal), inputs, outputs)


class RecurrentNetwork(nn.Module):
    def __init__(self, spec: RNN, inputs: Inputs, outputs: int) -> None:
        super().__init__()
        self.window, self.word_dropout, self.rare = spec.window, spec.word_dropout, inputs.rare
        self.per_word = inputs.per_word
        self.embedding = nn.Embedding(inputs.vocabulary, spec.embedding, padding_idx=0)
        nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
        self.dropout = Dropout(spec.dropout)
        directions = 2 if spec.bidirectional else 1
        widths = [spec.embedding * spec.window] + [spec.hidden * directions] * (spec.layers - 1)
        self.forward_layers = nn.ModuleList(_layer(spec, width, outputs) for width in widths)
        self.backward_layers = nn.ModuleList(_layer(spec, width, outputs) for width in widths if spec.bidirectional)
        self.head = nn.Linear(spec.hidden * directions, outputs)

    def forward(self, x_BT: torch.Tensor) -> torch.Tensor:
        mask_BT = x_BT != 0
        if self.training and self.word_dropout > 0:
            x_BT = word_dropout(x_BT, self.rare, self.word_dropout)
        h_BTE = self._windows(self.dropout(self.embedding(x_BT)))
        reversed_BT = _reversed_positions(mask_BT)
        for number, layer in enumerate(self.forward_layers):
            h_BTH = _run(layer, h_BTE)
            if self.backward_layers:
                back_BTH = _run(self.backward_layers[number], _select(h_BTE, reversed_BT))
                h_BTH = torch.cat([h_BTH, _select(back_BTH, reversed_BT)], 2)
            h_BTE = self.dropout(h_BTH)
        if self.per_word:
            y_BTK: torch.Tensor = self.head(h_BTE)
            return y_BTK
        weight_BT1 = mask_BT.unsqueeze(2).to(h_BTE.dtype)
        y_BK: torch.Tensor = self.head((h_BTE * weight_BT1).sum(1) / weight_BT1.sum(1).clamp(min=1))
        return y_BK

    def _windows(self, e_BTE: torch.Tensor) -> torch.Tensor:
        """Each word's embedding beside those of its neighbors, with zeros beyond the sentence."""
        radius = self.window // 2
        if radius == 0:
            return e_BTE
        padded = F.pad(e_BTE, (0, 0, radius, radius))
        words = e_BTE.shape[1]
        return torch.cat([padded[:, shift : shift + words] for shift in range(self.window)], 2)


def _layer(spec: RNN, width: int, outputs: int) -> nn.Module:
    match spec.cell:
        case "elman":
            return nn.RNN(width, spec.hidden, batch_first=True)
        case "lstm":
            return nn.LSTM(width, spec.hidden, batch_first=True)
        case "gru":
            return nn.GRU(width, spec.hidden, batch_first=True)
        case "jordan":
            return Jordan(width, spec.hidden, outputs)


def _run(layer: nn.Module, x_BTE: torch.Tensor) -> torch.Tensor:
    """The hidden states h_BTH of a layer."""
    if isinstance(layer, nn.RNNBase) and torch.compiler.is_exporting():
        return hidden_states(layer, x_BTE)
    h_BTH: torch.Tensor = layer(x_BTE)[0] if isinstance(layer, nn.RNNBase) else layer(x_BTE)
    return h_BTH


class Jordan(nn.Module):
    """h_t = tanh(W x_t + U y_(t-1) + b), y_t = softmax(V h_t + c): the output is fed back, not the hidden state."""

    def __init__(self, width: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.input_hidden = nn.Linear(width, hidden)
        self.output_hidden = nn.Linear(outputs, hidden, bias=False)
        self.hidden_output = nn.Linear(hidden, outputs)

    def forward(self, x_BTE: torch.Tensor) -> torch.Tensor:
        x_BTH = self.input_hidden(x_BTE)
        y_BK = x_BTE.new_zeros(x_BTE.shape[0], self.hidden_output.out_features)
        if torch.compiler.is_exporting():
            return scan_words(self._step, y_BK, x_BTH)
        if x_BTH.is_meta:
            # Only shapes are asked for: all words in one step have the shapes of a step for each.
            B, T, _ = x_BTH.shape
            _, h_NH = self._step(y_BK.new_zeros(B * T, y_BK.shape[1]), x_BTH.flatten(0, 1))
            return h_NH.view(B, T, -1)
        states = []
        for x_BH in x_BTH.unbind(1):
            y_BK, h_BH = self._step(y_BK, x_BH)
            states.append(h_BH)
        return torch.stack(states, 1)

    def _step(self, y_BK: torch.Tensor, x_BH: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h_BH = torch.tanh(x_BH + self.output_hidden(y_BK))
        return torch.softmax(self.hidden_output(h_BH), 1), h_BH


def _reversed_positions(mask_BT: torch.Tensor) -> torch.Tensor:
    """Positions that reverse each sentence and keep its padding in place. Selecting by them twice changes nothing."""
    position_BT = torch.arange(mask_BT.shape[1], device=mask_BT.device).expand(mask_BT.shape)
    reversed_BT = mask_BT.sum(1, keepdim=True) - 1 - position_BT
    return torch.where(reversed_BT >= 0, reversed_BT, position_BT)


def _select(x_BTE: torch.Tensor, position_BT: torch.Tensor) -> torch.Tensor:
    """The vectors of x_BTE at the given positions."""
    return x_BTE.gather(1, position_BT.unsqueeze(2).expand(-1, -1, x_BTE.shape[2]))
