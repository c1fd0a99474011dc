"""Muon against Jordan's iteration in numpy, and AdamW beside it."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from models.parts.architecture import Architecture, InputKind
from models.parts.architectures.cnn import CNN
from models.parts.architectures.linear import Linear
from models.parts.architectures.mlp import MLP
from models.parts.architectures.neural_ngram import NeuralNGram
from models.parts.architectures.rnn import RNN
from models.parts.architectures.textcnn import TextCNN
from models.parts.architectures.transformer import Transformer
from models.parts.architectures.transformer_lm import TransformerLM
from models.parts.optimizers.adamw import AdamW
from models.parts.optimizers.muon import Muon
from tests import small
from tests.models.parts.optimizers.steps import Array
from worker.training.loop import fit

DECODING = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"]
ENCODING = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"]


def _newton_schulz(x: Array, iterations: int) -> Array:
    """The quintic 3.4445 x − 4.775 x³ + 2.0315 x⁵, applied to the singular values."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    s = s / np.linalg.norm(s)
    for _ in range(iterations):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    made: Array = u * s @ vt
    return made


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("iterations", [1, 5])
def test_steps_of_a_hidden_matrix(shape: tuple[int, int], nesterov: bool, iterations: int) -> None:
    rng = np.random.default_rng(0)
    expected, mean = rng.standard_normal(shape), np.zeros(shape)
    weights = nn.Parameter(torch.from_numpy(expected.copy()))
    built = Muon(lr=0.1, weight_decay=0.2, momentum=0.9, nesterov=nesterov, iterations=iterations).build([weights])
    for _ in range(4):
        gradient = rng.standard_normal(shape)
        weights.grad = torch.from_numpy(gradient.copy())
        built.step()
        mean = 0.9 * mean + 0.1 * gradient
        step = _newton_schulz(0.1 * gradient + 0.9 * mean if nesterov else mean, iterations)
        expected = (1 - 0.1 * 0.2) * expected - 0.1 * max(1, shape[0] / shape[1]) ** 0.5 * step
        # The iteration runs in bfloat16, eight bits of mantissa.
        np.testing.assert_allclose(weights.detach().numpy(), expected, atol=0.01)
        expected = weights.detach().numpy().copy()


def test_what_is_no_matrix_follows_adamw() -> None:
    """Steps of the rest are those of AdamW to the bit, whatever Muon does beside it."""
    rng = np.random.default_rng(0)
    start, matrix = rng.standard_normal(7), rng.standard_normal((7, 7))
    ends = []
    for optimizer in (Muon(adamw_lr=0.1, weight_decay=0.3), AdamW(lr=0.1, weight_decay=0.3)):
        vector, beside = nn.Parameter(torch.tensor(start)), nn.Parameter(torch.tensor(matrix))
        built = optimizer.build([vector, beside])
        for seed in range(5):
            draw = np.random.default_rng(seed)
            vector.grad, beside.grad = torch.tensor(draw.standard_normal(7)), torch.tensor(draw.standard_normal((7, 7)))
            built.step()
        ends.append((vector.detach(), beside.detach()))
    assert torch.equal(ends[0][0], ends[1][0])
    assert not torch.equal(ends[0][1], ends[1][1])


@pytest.mark.parametrize(
    ("architecture", "kind", "hidden"),
    [
        (Linear(), "vector", []),
        (MLP(hidden=[8, 6]), "vector", ["fc1.weight", "fc2.weight"]),
        (CNN(channels=[4], hidden=[8]), "image", ["head.fc1.weight"]),
        (TextCNN(embedding=8, channels=4), "text", []),
        (NeuralNGram(direct=True), "text", ["hidden.weight"]),
        (TransformerLM(layers=1), "text", [f"blocks.0.{name}.weight" for name in DECODING]),
        (TransformerLM(layers=1, tied=False), "text", [f"blocks.0.{name}.weight" for name in DECODING]),
        (Transformer(layers=1), "text", [f"blocks.0.{name}.weight" for name in ENCODING]),
        (Transformer(layers=1, attention="additive"), "text", [f"blocks.0.{name}.weight" for name in ENCODING]),
        (RNN(hidden=4, bidirectional=False), "text", [f"forward_layers.0.weight_{way}_l0" for way in ("ih", "hh")]),
    ],
)
def test_which_weights_are_hidden_matrices(architecture: Architecture, kind: InputKind, hidden: list[str]) -> None:
    inputs = small.shape(architecture, kind)
    model = architecture.build(inputs, inputs.vocabulary if inputs.causal else 3)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    built = Muon().over(model)
    orthogonal = [names[id(each)] for group in built.param_groups if group["orthogonal"] for each in group["params"]]
    assert orthogonal == hidden
    every = [id(each) for group in built.param_groups for each in group["params"]]
    assert sorted(every) == sorted(names) and all(group["params"] for group in built.param_groups)
    assert {group["lr"] for group in built.param_groups if group["orthogonal"]} <= {0.02}


def test_the_schedule_reaches_both() -> None:
    learner = small.learner(MLP(hidden=[8]), Muon(), "vector", steps=1)
    learner.config = replace(learner.config, rate_factor=lambda step, steps: 0.0)
    before = [value.detach().clone() for value in learner.model.parameters()]
    list(fit(learner, small.problem("vector"), None))
    assert [group["lr"] for group in learner.optimizer.param_groups] == [0.0, 0.0]
    assert all(torch.equal(old, new) for old, new in zip(before, learner.model.parameters(), strict=True))


def test_its_state_goes_out_and_in() -> None:
    built = []
    for _ in range(2):
        weights, bias = nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.ones(3))
        built.append((Muon().build([weights, bias]), weights, bias))

    def step(at: int, seed: int) -> None:
        optimizer, weights, bias = built[at]
        draw = torch.Generator().manual_seed(seed)
        weights.grad, bias.grad = torch.randn(3, 3, generator=draw), torch.randn(3, generator=draw)
        optimizer.step()

    step(0, 0)
    with torch.no_grad():
        for mine, theirs in zip(built[1][1:], built[0][1:], strict=True):
            mine.copy_(theirs)
    built[1][0].load_state_dict(copy.deepcopy(built[0][0].state_dict()))
    step(0, 1)
    step(1, 1)
    assert torch.equal(built[0][1], built[1][1]) and torch.equal(built[0][2], built[1][2])
