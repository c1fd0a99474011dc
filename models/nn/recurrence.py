"""Recurrences as one scan over time, for torch.export: the number of words stays dynamic.

Training runs torch's fused layers instead. Tracing unrolls those into one copy of the cell per word, which fixes the
length of a sentence and makes the program as long as the longest sentence.

Shape letters: B rows of a batch, T words, E inputs and H hidden units of a cell, G its gates side by side, K outputs.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional as F


def hidden_states(layer: nn.RNNBase, x_BTE: torch.Tensor) -> torch.Tensor:
    """h_BTH, as one layer of nn.RNN (tanh), nn.LSTM or nn.GRU returns them from an initial state of zeros."""
    weight_GH, bias_G = layer.weight_hh_l0, layer.bias_hh_l0
    assert isinstance(weight_GH, torch.Tensor) and isinstance(bias_G, torch.Tensor)
    gates_TBG = F.linear(x_BTE, layer.weight_ih_l0, layer.bias_ih_l0).transpose(0, 1)  # type: ignore[arg-type]
    h0_BH = x_BTE.new_zeros(x_BTE.shape[0], layer.hidden_size)

    def elman(h_BH: torch.Tensor, gates_BG: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h_BH = torch.tanh(gates_BG + F.linear(h_BH, weight_GH, bias_G))
        return h_BH, h_BH.clone()

    def gru(h_BH: torch.Tensor, gates_BG: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        reset, update, new = gates_BG.chunk(3, 1)
        reset_h, update_h, new_h = F.linear(h_BH, weight_GH, bias_G).chunk(3, 1)
        new_BH = torch.tanh(new + torch.sigmoid(reset + reset_h) * new_h)
        h_BH = new_BH + torch.sigmoid(update + update_h) * (h_BH - new_BH)
        return h_BH, h_BH.clone()

    def lstm(
        state: tuple[torch.Tensor, torch.Tensor], gates_BG: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        h_BH, c_BH = state
        input_BH, forget_BH, cell_BH, output_BH = (gates_BG + F.linear(h_BH, weight_GH, bias_G)).chunk(4, 1)
        c_BH = torch.sigmoid(forget_BH) * c_BH + torch.sigmoid(input_BH) * torch.tanh(cell_BH)
        h_BH = torch.sigmoid(output_BH) * torch.tanh(c_BH)
        return (h_BH, c_BH), h_BH.clone()

    if isinstance(layer, nn.LSTM):
        _, h_TBH = scan(lstm, (h0_BH, h0_BH.clone()), gates_TBG)
    else:
        _, h_TBH = scan(gru if isinstance(layer, nn.GRU) else elman, h0_BH, gates_TBG)
    h_BTH: torch.Tensor = h_TBH.transpose(0, 1)
    return h_BTH


def scan_words(
    step: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    y_BK: torch.Tensor,
    x_BTH: torch.Tensor,
) -> torch.Tensor:
    """h_BTH, where `step` maps the previous output y_BK and a word's x_BH to the next output and the hidden state."""
    _, h_TBH = scan(step, y_BK, x_BTH.transpose(0, 1))
    h_BTH: torch.Tensor = h_TBH.transpose(0, 1)
    return h_BTH
