"""Attention, positions and the whole encoder against their formulas, and what an answer must not depend on."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.nn import functional as F

from models.errors import SpecError
from models.nn.dropout import Dropout
from models.parts.architecture import Inputs
from models.parts.architectures.transformer import (
    AdditiveAttention,
    DotProductAttention,
    Encoder,
    Transformer,
    rotate,
    sinusoidal_positions,
)
from models.parts.optimizers.adam import Adam
from tests import small
from worker.training.loop import fit

Array = npt.NDArray[np.float64]
Attention = Literal["dot", "additive"]
Positions = Literal["sinusoidal", "learned", "rotary", "none"]

VOCABULARY, LENGTH = 20, 12
ATTENTIONS: tuple[Attention, ...] = ("dot", "additive")
POSITIONS: tuple[Positions, ...] = ("sinusoidal", "learned", "rotary", "none")
sentences = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=LENGTH)
every_form = pytest.mark.parametrize(
    ("attention", "positions"), [(attention, positions) for attention in ATTENTIONS for positions in POSITIONS]
)


def _build(seed: int = 0, outputs: int = 3, **fields: Any) -> Encoder:
    torch.manual_seed(seed)
    spec = Transformer(**{"width": 8, "heads": 2, "feedforward": 10, **fields})
    module = spec.build(Inputs("text", (LENGTH,), VOCABULARY), outputs)
    assert isinstance(module, Encoder)
    return module.eval()


def _words(rows: list[list[int]], length: int) -> torch.Tensor:
    return torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])


def _queries(words: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """q, k and v of 3 sentences, 2 heads and 4 numbers a head; the sentences have 6, 4 and 1 words."""
    torch.manual_seed(1)
    q_BHTD, k_BHSD, v_BHSD = torch.randn(3, 3, 2, words, 4).unbind()
    real_B11S = (torch.arange(words) < torch.tensor([[words], [4], [1]]))[:, None, None]
    return q_BHTD, k_BHSD, v_BHSD, real_B11S


def _softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    summed: Array = raised / raised.sum(-1, keepdims=True)
    return summed


def test_dot_attention() -> None:
    q_BHTD, k_BHSD, v_BHSD, real_B11S = _queries()
    found = DotProductAttention(rotary=False)(q_BHTD, k_BHSD, v_BHSD, real_B11S)
    torch.testing.assert_close(found, F.scaled_dot_product_attention(q_BHTD, k_BHSD, v_BHSD, attn_mask=real_B11S))
    q, k, v, real = (given.double().numpy() for given in (q_BHTD, k_BHSD, v_BHSD, real_B11S))
    scores_BHTS = q @ k.swapaxes(2, 3) / np.sqrt(4)
    np.testing.assert_allclose(found, _softmax(np.where(real > 0, scores_BHTS, -np.inf)) @ v, atol=1e-6)


def test_additive_attention() -> None:
    q_BHTD, k_BHSD, v_BHSD, real_B11S = _queries()
    attention = AdditiveAttention(heads=2, head_width=4, rotary=False)
    found = attention(q_BHTD, k_BHSD, v_BHSD, real_B11S).detach()
    q, k, v, u = (given.detach().double().numpy() for given in (q_BHTD, k_BHSD, v_BHSD, attention.score_weight))
    for row in range(3):
        words = int(real_B11S[row].sum())
        for head in range(2):
            for at in range(6):
                scores = [float(u[head] @ np.tanh(q[row, head, at] + k[row, head, other])) for other in range(words)]
                expected = _softmax(np.array(scores)) @ v[row, head, :words]
                np.testing.assert_allclose(found[row, head, at], expected, atol=1e-6)


def test_sinusoidal_positions() -> None:
    for width in (8, 7, 1):
        found = sinusoidal_positions(30, width, torch.device("cpu"))
        assert found.shape == (30, width)
        for place in (0, 1, 29):
            for at in range(width):
                phase = place / 10_000 ** (2 * (at // 2) / width)
                assert float(found[place, at]) == pytest.approx(
                    np.sin(phase) if at % 2 == 0 else np.cos(phase), abs=1e-5
                )


def test_rotation_turns_pairs_by_the_phase_of_their_place() -> None:
    x_TD = torch.randn(5, 6)
    found = rotate(x_TD, torch.arange(5)).numpy()
    complex_TD = x_TD.numpy()[:, :3] + 1j * x_TD.numpy()[:, 3:]
    expected = complex_TD * np.exp(1j * np.arange(5)[:, None] * 10_000.0 ** (-2 * np.arange(3) / 6))
    np.testing.assert_allclose(found[:, :3] + 1j * found[:, 3:], expected, atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_rotary_scores_know_offsets_alone(attention: Attention) -> None:
    """The same words further on, with others before them that are not looked at, find the same."""
    q_BHTD, k_BHSD, v_BHSD, _ = _queries()
    looks = DotProductAttention(rotary=True) if attention == "dot" else AdditiveAttention(2, 4, rotary=True)
    everywhere = torch.ones(3, 1, 1, 6, dtype=torch.bool)
    straight = looks(q_BHTD, k_BHSD, v_BHSD, everywhere)
    later = [torch.cat([torch.randn(3, 2, 5, 4), part], 2) for part in (q_BHTD, k_BHSD, v_BHSD)]
    shifted = looks(*later, (torch.arange(11) >= 5).expand(3, 1, 1, 11))[:, :, 5:]
    torch.testing.assert_close(shifted, straight, atol=1e-5, rtol=1e-5)
    # Yet order matters: the first and the last word in each other's place.
    swap = [5, 1, 2, 3, 4, 0]
    swapped = looks(q_BHTD, k_BHSD[:, :, swap], v_BHSD[:, :, swap], everywhere)
    assert not torch.allclose(swapped, straight, atol=1e-3)


@pytest.mark.parametrize("activation", ["relu", "swiglu"])
def test_forward(activation: Literal["relu", "swiglu"]) -> None:
    module = _build(activation=activation, positions="sinusoidal", layers=2)
    state = {name: value.double().numpy() for name, value in module.state_dict().items()}

    def affine(x: Array, name: str) -> Array:
        mapped: Array = x @ state[f"{name}.weight"].T + state[f"{name}.bias"]
        return mapped

    def norm(x: Array, name: str) -> Array:
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        scaled: Array = x * state[f"{name}.weight"] + state[f"{name}.bias"]
        return scaled

    rows = [[3, 4, 5, 6, 3], [7, 1], [19]]
    expected = []
    for row in rows:
        h_TW = state["tok_emb.weight"][row] * np.sqrt(8)
        h_TW = h_TW + sinusoidal_positions(len(row), 8, torch.device("cpu")).double().numpy()
        for layer in ("blocks.0", "blocks.1"):
            qkv_TW = affine(norm(h_TW, f"{layer}.ln_1"), f"{layer}.attn.qkv")
            q, k, v = (qkv_TW[:, start : start + 8].reshape(-1, 2, 4).swapaxes(0, 1) for start in (0, 8, 16))
            found_HTD = _softmax(q @ k.swapaxes(1, 2) / 2) @ v
            h_TW = h_TW + affine(found_HTD.swapaxes(0, 1).reshape(-1, 8), f"{layer}.attn.proj")
            f_TF = affine(norm(h_TW, f"{layer}.ln_2"), f"{layer}.mlp.fc1")
            if activation == "swiglu":
                f_TF = f_TF[:, :10] / (1 + np.exp(-f_TF[:, :10])) * f_TF[:, 10:]
            h_TW = h_TW + affine(np.maximum(f_TF, 0) if activation == "relu" else f_TF, f"{layer}.mlp.fc2")
        expected.append(affine(norm(h_TW.mean(0, keepdims=True), "ln_f"), "head")[0])
    np.testing.assert_allclose(module(_words(rows, 5)).detach().numpy(), np.array(expected), atol=1e-5)


@every_form
@settings(deadline=None, max_examples=25)
@given(rows=st.lists(sentences, min_size=1, max_size=5), data=st.data())
def test_an_answer_depends_on_nothing_but_its_sentence(
    attention: Attention, positions: Positions, rows: list[list[int]], data: st.DataObject
) -> None:
    module = _build(attention=attention, positions=positions)
    length = data.draw(st.integers(max(map(len, rows)), LENGTH))
    with torch.no_grad():
        alone = torch.cat([module(torch.tensor([row])) for row in rows])
        together = module(_words(rows, length))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@every_form
def test_order_is_seen_where_positions_tell_it(attention: Attention, positions: Positions) -> None:
    module = _build(attention=attention, positions=positions)
    there, back = module(torch.tensor([[2, 3, 4, 5, 6]])), module(torch.tensor([[5, 3, 6, 2, 4]]))
    if positions == "none":
        torch.testing.assert_close(there, back)
    else:
        assert not torch.allclose(there, back, atol=1e-4)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_without_positions_layers_follow_a_permutation(attention: Attention) -> None:
    layer = _build(attention=attention, positions="none").blocks[0]
    h_BTW, real_BT = torch.randn(2, 6, 8), torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    order = torch.tensor([4, 2, 5, 0, 3, 1])
    torch.testing.assert_close(layer(h_BTW[:, order], real_BT[:, order]), layer(h_BTW, real_BT)[:, order])


def test_attention_is_float32_under_autocast_on_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []
    real = F.scaled_dot_product_attention

    def watched(*given: Any) -> torch.Tensor:
        seen.extend(part.dtype for part in given[:3])
        answer: torch.Tensor = real(*given)
        seen.append(answer.dtype)
        return answer

    monkeypatch.setattr(F, "scaled_dot_product_attention", watched)
    x_BT = _words([[2, 3, 4], [5]], 3)
    for positions in POSITIONS:
        module = _build(positions=positions)
        with torch.autocast("cpu", torch.bfloat16):
            under = module(x_BT)
        torch.testing.assert_close(under.float(), module(x_BT), atol=0.05, rtol=0.05)
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize(
    ("fields", "per_layer", "extra"),
    [
        ({}, 10 * 8 + 10 + 8 * 10 + 8, 0),
        ({"positions": "learned"}, 10 * 8 + 10 + 8 * 10 + 8, LENGTH * 8),
        ({"activation": "swiglu"}, 20 * 8 + 20 + 8 * 10 + 8, 0),
        ({"attention": "additive"}, 8 + 10 * 8 + 10 + 8 * 10 + 8, 0),
    ],
)
def test_parameters(fields: dict[str, Any], per_layer: int, extra: int) -> None:
    module = _build(layers=3, **fields)
    attention = 24 * 8 + 24 + 8 * 8 + 8
    expected = VOCABULARY * 8 + 3 * (attention + per_layer + 2 * 16) + 16 + (8 * 3 + 3) + extra
    assert sum(parameter.numel() for parameter in module.parameters()) == expected


def test_padding_stays_zero_and_words_start_at_unit_size() -> None:
    learner = small.learner(Transformer(width=64, heads=2), Adam(lr=0.1, weight_decay=0.1), "text", ema=0.5)
    start = learner.model.state_dict()["tok_emb.weight"]
    assert float(start[1:].std()) * 8 == pytest.approx(1, rel=0.1)
    list(fit(learner, small.problem("text"), None))
    assert float(learner.model.state_dict()["tok_emb.weight"][0].abs().max()) == 0
    assert float(learner.weights()["tok_emb.weight"][0].abs().max()) == 0


def test_dropout_is_for_training_alone() -> None:
    module = _build(dropout=0.5)
    x_BT = _words([[2, 3, 4]], 3)
    assert torch.equal(module(x_BT), module(x_BT))
    module.train()
    assert not torch.equal(module(x_BT), module(x_BT))
    assert sum(isinstance(child, Dropout) for child in module.modules()) == 3


@pytest.mark.parametrize(
    ("fields", "message", "suggestion"),
    [
        ({"width": 12, "heads": 5}, "5 heads do not divide a width of 12", "heads that fit: 1, 2, 3, 4, 6, 12"),
        ({"width": 7, "heads": 2}, "do not divide", "heads that fit: 1, 7"),
        ({"width": 12, "heads": 4, "positions": "rotary"}, "have 3 numbers each", "heads that fit: 1, 2, 3, 6"),
        ({"width": 12, "heads": 5, "positions": "rotary"}, "do not divide", "heads that fit: 1, 2, 3, 6"),
        ({"width": 7, "heads": 1, "positions": "rotary"}, "need an even number", "an even width"),
    ],
)
def test_heads_that_do_not_fit_are_refused(fields: dict[str, Any], message: str, suggestion: str) -> None:
    with pytest.raises(SpecError, match=message) as refused:
        _build(**fields)
    assert (refused.value.pointer, refused.value.suggestion) == ("/architecture/heads", suggestion)
    for heads in suggestion.removeprefix("heads that fit: ").split(", "):
        if heads.isdigit():
            _build(**{**fields, "heads": int(heads)})


@pytest.mark.parametrize("wrong", [{"heads": 0}, {"width": 8193}, {"layers": 0}, {"dropout": 1}, {"attention": "soft"}])
def test_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Transformer.model_validate(wrong)
