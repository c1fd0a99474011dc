"""The recurrence that is exported against torch's own layers, and training untouched by it."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.nn.recurrence import hidden_states
from models.parts.architecture import Inputs
from models.parts.architectures.rnn import RNN, Cell


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_it_gives_the_states_of_torch(kind: Callable[..., nn.RNNBase]) -> None:
    torch.manual_seed(0)
    layer = kind(3, 5, batch_first=True).requires_grad_(False)
    x_BTE = torch.randn(4, 6, 3)
    expected_BTH = layer(x_BTE)[0]
    torch.testing.assert_close(hidden_states(layer, x_BTE), expected_BTH, rtol=0, atol=1e-6)
    assert not torch.equal(hidden_states(layer, x_BTE.flip(1)), expected_BTH)


@pytest.mark.parametrize("cell", ["elman", "jordan", "lstm", "gru"])
def test_the_exported_network_takes_any_length(cell: Cell) -> None:
    torch.manual_seed(0)
    spec = RNN(cell=cell, hidden=4, embedding=4, bidirectional=cell != "jordan")
    network = spec.build(Inputs("text", (9,), vocabulary=12, per_word=True), 3).eval().requires_grad_(False)
    open_ = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("length", min=1, max=9)}
    program = torch.export.export(network, (torch.ones(3, 9, dtype=torch.int64),), dynamic_shapes=(open_,))
    for rows, words in ((1, 1), (2, 4), (5, 9)):
        x_BT = torch.randint(1, 12, (rows, words))
        torch.testing.assert_close(program.module()(x_BT), network(x_BT), rtol=0, atol=1e-6)
