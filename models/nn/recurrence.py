"""Recurrences as one operation over time, for torch.export: a sentence keeps its length open.

Training runs the fused layers of torch instead. They unroll when they are traced, one copy of the cell a word, which
ties the network to one length and makes it as long as the longest sentence.

Shape letters: B rows of a batch, T words, E inputs and H states of a cell, G its gates side by side, K outputs.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional as F


def states(layer: nn.RNNBase, x_BTE: torch.Tensor) -> torch.Tensor:
    """h_BTH, as one layer of nn.RNN (tanh), nn.LSTM or nn.GRU gives them from a state of zeros."""
    weight_GH, bias_G = layer.weight_hh_l0, layer.bias_hh_l0
    assert isinstance(weight_GH, torch.Tensor) and isinstance(bias_G, torch.Tensor)
    inward_TBG = F.linear(x_BTE, layer.weight_ih_l0, layer.bias_ih_l0).transpose(0, 1)  # type: ignore[arg-type]
    start_BH = x_BTE.new_zeros(x_BTE.shape[0], layer.hidden_size)

    def elman(h_BH: torch.Tensor, inward_BG: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h_BH = torch.tanh(inward_BG + F.linear(h_BH, weight_GH, bias_G))
        return h_BH, h_BH.clone()

    def gru(h_BH: torch.Tensor, inward_BG: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        reset, update, fresh = inward_BG.chunk(3, 1)
        reset_h, update_h, fresh_h = F.linear(h_BH, weight_GH, bias_G).chunk(3, 1)
        new_BH = torch.tanh(fresh + torch.sigmoid(reset + reset_h) * fresh_h)
        h_BH = new_BH + torch.sigmoid(update + update_h) * (h_BH - new_BH)
        return h_BH, h_BH.clone()

    def lstm(
        carried: tuple[torch.Tensor, torch.Tensor], inward_BG: torch.Tensor
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        h_BH, c_BH = carried
        write, keep, new, show = (inward_BG + F.linear(h_BH, weight_GH, bias_G)).chunk(4, 1)
        c_BH = torch.sigmoid(keep) * c_BH + torch.sigmoid(write) * torch.tanh(new)
        h_BH = torch.sigmoid(show) * torch.tanh(c_BH)
        return (h_BH, c_BH), h_BH.clone()

    if isinstance(layer, nn.LSTM):
        _, h_TBH = scan(lstm, (start_BH, start_BH.clone()), inward_TBG)
    else:
        _, h_TBH = scan(gru if isinstance(layer, nn.GRU) else elman, start_BH, inward_TBG)
    h_BTH: torch.Tensor = h_TBH.transpose(0, 1)
    return h_BTH


def fed_back(
    step: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    y_BK: torch.Tensor,
    inward_BTH: torch.Tensor,
) -> torch.Tensor:
    """h_BTH where `step` makes of the output before, y_BK, and of its input the next output and its state."""
    _, h_TBH = scan(step, y_BK, inward_BTH.transpose(0, 1))
    h_BTH: torch.Tensor = h_TBH.transpose(0, 1)
    return h_BTH
