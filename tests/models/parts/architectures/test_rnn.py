"""The recurrent network against its equations, written out word by word."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.errors import SpecError
from models.parts.architecture import Inputs
from models.parts.architectures.rnn import RNN, Cell, Jordan

CELLS: list[Cell] = ["elman", "jordan", "lstm", "gru"]
WORDS = Inputs("text", (9,), vocabulary=20, per_word=True)


def _network(cell: Cell, inputs: Inputs = WORDS, *, bidirectional: bool = True, window: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    spec = RNN(cell=cell, bidirectional=bidirectional, window=window, hidden=6, embedding=5, dropout=0.4)
    return spec.build(inputs, 4).eval()


def test_jordan_feeds_its_output_back() -> None:
    torch.manual_seed(0)
    cell = Jordan(3, 5, 4).double()
    x_BTE = torch.randn(2, 6, 3, dtype=torch.float64)
    with torch.no_grad():
        found = cell(x_BTE).numpy()
    weights = {name: value.detach().numpy() for name, value in cell.named_parameters()}
    for row in range(2):
        y_K = np.zeros(4)
        for word in range(6):
            inward = weights["input_hidden.weight"] @ x_BTE[row, word].numpy() + weights["input_hidden.bias"]
            h_H = np.tanh(inward + weights["output_hidden.weight"] @ y_K)
            scores = weights["hidden_output.weight"] @ h_H + weights["hidden_output.bias"]
            y_K = np.exp(scores) / np.exp(scores).sum()
            np.testing.assert_allclose(found[row, word], h_H, atol=1e-12)


def test_jordans_gradients_are_right() -> None:
    torch.manual_seed(0)
    cell = Jordan(2, 3, 2).double()
    x_BTE = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(cell, (x_BTE,))


def test_an_elman_network_is_not_a_jordan_network() -> None:
    torch.manual_seed(0)
    layer = _network("elman", bidirectional=False, window=1)
    names = {name for name, _ in layer.named_parameters()}
    assert "forward_layers.0.weight_hh_l0" in names and not any("output_hidden.weight" in name for name in names)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("per_word", [True, False])
def test_an_answer_does_not_depend_on_padding_or_batch_mates(cell: Cell, per_word: bool) -> None:
    network = _network(cell, Inputs("text", (9,), vocabulary=20, per_word=per_word))
    alone = torch.tensor([[4, 7, 2]])
    together = torch.tensor([[4, 7, 2, 0, 0, 0, 0], [9, 8, 7, 6, 5, 4, 3]])
    with torch.no_grad():
        expected, found = network(alone)[0], network(together)[0]
    torch.testing.assert_close(found[:3] if per_word else found, expected)


@pytest.mark.parametrize("cell", CELLS)
def test_backwards_reads_the_sentence_from_its_end(cell: Cell) -> None:
    """The last word's backward state has seen nothing else: it changes with no earlier word, the forward one does."""
    network = _network(cell, window=1)
    with torch.no_grad():
        first, other = network(torch.tensor([[4, 7, 2, 0]])), network(torch.tensor([[5, 7, 2, 0]]))
        assert not torch.equal(first[0, 2], other[0, 2]), "forwards, the last word has seen the first"
        late, changed = network(torch.tensor([[4, 7, 2, 0]])), network(torch.tensor([[4, 7, 3, 0]]))
        assert not torch.equal(late[0, 0], changed[0, 0]), "backwards, the first word has seen the last"


def test_a_window_shows_the_neighbors() -> None:
    """One direction, three words: the next word is seen, the one after it is not."""
    network = _network("elman", bidirectional=False, window=3)
    with torch.no_grad():
        base = network(torch.tensor([[4, 7, 2, 9]]))
        torch.testing.assert_close(network(torch.tensor([[4, 7, 3, 9]]))[0, 0], base[0, 0])
        assert not torch.equal(network(torch.tensor([[4, 8, 2, 9]]))[0, 0], base[0, 0])


def test_rare_words_are_hidden_in_training_alone() -> None:
    rare = Inputs("text", (4,), vocabulary=20, rare=10, per_word=True)
    network = RNN(word_dropout=0.999, dropout=0.0, hidden=4, embedding=4).build(rare, 2)
    x_BT, hidden_BT = torch.tensor([[4, 12, 5, 13]]), torch.tensor([[4, 1, 5, 1]])
    with torch.no_grad():
        torch.testing.assert_close(network.train()(x_BT), network.eval()(hidden_BT))
        assert not torch.allclose(network.eval()(x_BT), network.eval()(hidden_BT))


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [({"window": 2}, "/architecture/window"), ({"cell": "jordan", "layers": 2}, "/architecture/layers")],
)
def test_what_cannot_be_is_refused(spec: dict[str, object], pointer: str) -> None:
    with pytest.raises(SpecError) as refused:
        RNN.model_validate(spec).build(WORDS, 2)
    assert refused.value.pointer == pointer


def test_both_ways_are_read_unless_the_next_word_is_asked_for() -> None:
    spec = RNN(hidden=4, embedding=4)
    for inputs, both in ((WORDS, True), (replace(WORDS, causal=True), False)):
        assert spec.settled(inputs.causal) == RNN(hidden=4, embedding=4, bidirectional=both)
        count, named = (
            sum(parameter.numel() for parameter in one.build(inputs, 2).parameters())
            for one in (spec, RNN(hidden=4, embedding=4, bidirectional=both))
        )
        assert count == named
