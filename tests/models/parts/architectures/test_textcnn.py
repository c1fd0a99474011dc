"""Convolutions over words against a loop over windows."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.parts.architecture import Inputs
from models.parts.architectures.textcnn import SentenceCNN, TextCNN
from models.parts.optimizers.adam import Adam
from tests import small
from worker.training.loop import fit

VOCABULARY = 20
sentences = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=9)


def _build(widths: list[int], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    module = TextCNN(widths=widths, channels=3, embedding=4).build(Inputs("text", (9,), VOCABULARY), 2)
    assert isinstance(module, SentenceCNN)
    with torch.no_grad():
        # Biases far from 0 on both sides: a window of nothing but padding would show.
        for convolution in module.convs:
            assert isinstance(convolution, nn.Conv1d) and convolution.bias is not None
            convolution.bias.copy_(torch.tensor([1.0, 0.0, -0.5]))
    return module.eval()


def _reference(module: nn.Module, sentence: list[int]) -> list[float]:
    """Every window that touches the sentence, one after the other."""
    assert isinstance(module, SentenceCNN)
    state = {name: value.double().numpy() for name, value in module.state_dict().items()}
    found = []
    for group in range(len(module.convs)):
        weight, bias = state[f"convs.{group}.weight"], state[f"convs.{group}.bias"]
        width = weight.shape[2]
        nothing = [np.zeros(weight.shape[1])] * (width - 1)
        words = [*nothing, *(state["embedding.weight"][word] for word in sentence), *nothing]
        for channel in range(len(weight)):
            answers = []
            for start in range(len(words) - width + 1):
                answer = bias[channel]
                for at in range(width):
                    answer += float(weight[channel, :, at] @ words[start + at])
                answers.append(max(0.0, answer))
            found.append(max(answers))
    answered: list[float] = (state["head.weight"] @ np.array(found) + state["head.bias"]).tolist()
    return answered


def _padded(rows: list[list[int]], length: int) -> torch.Tensor:
    return torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])


@pytest.mark.parametrize("widths", [[1], [3], [2, 5], [12]])
@settings(deadline=None)
@given(sentence=sentences)
def test_forward(widths: list[int], sentence: list[int]) -> None:
    module = _build(widths)
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.tensor([sentence]))[0], _reference(module, sentence), atol=1e-5)


@settings(deadline=None)
@given(rows=st.lists(sentences, min_size=1, max_size=5), extra=st.integers(0, 12))
def test_an_answer_depends_on_nothing_but_its_sentence(rows: list[list[int]], extra: int) -> None:
    module = _build([1, 3, 5])
    with torch.no_grad():
        alone = torch.cat([module(torch.tensor([row])) for row in rows])
        together = module(_padded(rows, max(map(len, rows)) + extra))
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-6)


def test_parameters() -> None:
    module = TextCNN(widths=[2, 3], channels=7, embedding=5).build(Inputs("text", (9,), VOCABULARY), 4)
    expected = VOCABULARY * 5 + (5 * 7 * 2 + 7) + (5 * 7 * 3 + 7) + (14 * 4 + 4)
    assert sum(parameter.numel() for parameter in module.parameters()) == expected


def test_embeddings_start_where_the_paper_says_and_padding_stays_zero() -> None:
    kind = TextCNN(channels=4, embedding=50, widths=[2])
    learner = small.learner(kind, Adam(lr=0.1, weight_decay=0.1), "text", ema=0.5)
    start = learner.model.state_dict()["embedding.weight"]
    assert float(start[1:].abs().max()) <= 0.25 and float(start[1:].abs().max()) > 0.24
    list(fit(learner, small.problem("text"), None))
    assert float(learner.model.state_dict()["embedding.weight"][0].abs().max()) == 0
    assert float(learner.weights()["embedding.weight"][0].abs().max()) == 0


def test_rare_words_are_hidden_in_training_alone() -> None:
    network = TextCNN(word_dropout=0.999, dropout=0.0, channels=3, embedding=4).build(
        Inputs("text", (4,), 20, rare=10), 2
    )
    x_BT, hidden_BT = torch.tensor([[4, 12, 5, 13]]), torch.tensor([[4, 1, 5, 1]])
    with torch.no_grad():
        torch.testing.assert_close(network.train()(x_BT), network.eval()(hidden_BT))
        assert not torch.allclose(network.eval()(x_BT), network.eval()(hidden_BT))
