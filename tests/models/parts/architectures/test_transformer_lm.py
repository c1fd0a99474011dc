"""The causal transformer: what it sees, how it begins, and that it learns."""

from itertools import product
from typing import Any

import pytest
import torch

from models.data.preparation.examples import Stream
from models.data.preparation.stream import windows, windows_of
from models.parts.architecture import Architecture, Inputs
from models.parts.architectures.rnn import RNN
from models.parts.architectures.transformer_lm import TransformerLM
from models.parts.losses.cross_entropy import CrossEntropy
from models.parts.optimizers.adamw import AdamW
from models.parts.targets.next_token import FittedNextToken
from worker.training import device
from worker.training.learner import Learner, TrainingConfig
from worker.training.loader import Batching
from worker.training.loop import fit
from worker.training.stages.evaluation import Evaluation, SummedMetrics
from worker.training.stages.forward import Forward

WORDS = Inputs("text", (12,), vocabulary=9, per_word=True, causal=True)
SMALL = {"layers": 2, "heads": 2, "width": 16}
VARIANTS: list[Architecture] = [
    TransformerLM.model_validate({**SMALL, "positions": positions, "activation": activation, "tied": tied})
    for positions, activation, tied in product(["learned", "sinusoidal", "rotary"], ["gelu", "swiglu"], [True, False])
]
VARIANTS += [RNN.model_validate({"cell": cell, "hidden": 8}) for cell in ("elman", "jordan", "lstm", "gru")]
variants = pytest.mark.parametrize("spec", VARIANTS, ids=lambda spec: "-".join(map(str, spec.model_dump().values())))


@variants
def test_nothing_is_seen_before_its_time(spec: Architecture) -> None:
    torch.manual_seed(0)
    network = spec.build(WORDS, 9).eval()
    x_BT = torch.randint(3, 9, (2, 12))
    changed_BT = x_BT.clone()
    changed_BT[:, 7] = 3 + (x_BT[:, 7] - 2) % 6
    with torch.no_grad():
        y_BTK, other_BTK = network(x_BT), network(changed_BT)
    torch.testing.assert_close(y_BTK[:, :7], other_BTK[:, :7])
    assert not torch.allclose(y_BTK[:, 7], other_BTK[:, 7])
    assert not torch.allclose(y_BTK[:, 8], other_BTK[:, 8]), "what was read is remembered"


@variants
def test_padding_changes_nothing(spec: Architecture) -> None:
    torch.manual_seed(0)
    network = spec.build(WORDS, 9).eval()
    with torch.no_grad():
        alone, padded = network(torch.tensor([[4, 7, 5]])), network(torch.tensor([[4, 7, 5, 0, 0, 0]]))
    torch.testing.assert_close(padded[:, :3], alone)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_places_matter(positions: Any) -> None:
    torch.manual_seed(0)
    network = TransformerLM(**SMALL, positions=positions).build(WORDS, 9).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():
        one, other = network(torch.tensor([[4, 5, 6]])), network(torch.tensor([[5, 4, 6]]))
    assert not torch.allclose(one[0, 2], other[0, 2])


def test_it_begins_as_gpt_2_does() -> None:
    torch.manual_seed(0)
    network = TransformerLM(layers=8, width=128).build(Inputs("text", (64,), vocabulary=500, causal=True), 500)
    spread = {name: float(value.detach().std()) for name, value in network.named_parameters() if value.dim() > 1}
    assert spread["tok_emb.weight"] == pytest.approx(0.02, rel=0.05)
    assert spread["blocks.3.attn.qkv.weight"] == pytest.approx(0.02, rel=0.05)
    assert spread["blocks.3.attn.proj.weight"] == pytest.approx(0.005, rel=0.05)
    assert spread["blocks.3.mlp.fc2.weight"] == pytest.approx(0.005, rel=0.05)
    assert not any(name.startswith("head") for name in spread), "tied, there is one table"


def test_gradients_are_right() -> None:
    torch.manual_seed(0)
    block = TransformerLM(layers=1, heads=2, width=4, positions="rotary", activation="swiglu")
    network = block.build(Inputs("text", (4,), vocabulary=5, causal=True), 5).double().get_submodule("blocks.0")
    h_BTE = torch.randn(1, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, (h_BTE,), atol=1e-5)


@pytest.mark.parametrize(
    "spec", [TransformerLM.model_validate(SMALL), RNN(cell="gru", hidden=32, dropout=0.0)], ids=["transformer", "rnn"]
)
def test_a_string_that_repeats_is_learned(spec: Architecture) -> None:
    device.prepare(0, "cpu")
    tokens_n = torch.tensor([3, 4, 5, 3, 6, 7, 8]).repeat(60)
    context, target = 12, FittedNextToken(outputs=9)
    source = Stream(*windows(tokens_n, context, windows_of(len(tokens_n), context)), tokens_n)
    model = spec.build(WORDS, 9)
    criterion = target.criterion(CrossEntropy().build())
    config = TrainingConfig(
        Forward(criterion),
        Batching(steps=150, steps_per_epoch=5, batch_size=8, seed=0),
        Evaluation(target.measure, summed=SummedMetrics(target.count, target.conclude)),
        rate_factor=lambda step, steps: 1.0,
    )
    learner = Learner(model, AdamW(lr=1e-2).build(model.parameters()), config)
    losses = [step.series["train/loss"] for step in fit(learner, lambda epoch: source.epoch(0, epoch), None)]
    # After one 3 or the other: only the first token of a window cannot be known for sure.
    assert losses[-1] < 0.12 < 1 < losses[0]
    measured = learner.evaluate(source.part())
    with torch.no_grad():
        y_NTK = model(source.x)
    whole = target.measure(y_NTK, source.t)
    assert measured["perplexity"] == pytest.approx(whole["perplexity"], rel=1e-4)
    assert measured["accuracy"] == pytest.approx(whole["accuracy"])
    assert measured["loss"] == pytest.approx(float(criterion(y_NTK, source.t)), rel=1e-4)
