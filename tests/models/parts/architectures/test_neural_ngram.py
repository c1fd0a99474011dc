"""The neural n-gram against the formula of its paper, one number at a time."""

import math

import pytest
import torch

from models.data.preparation.examples import Stream
from models.parts.architecture import Inputs
from models.parts.architectures.neural_ngram import NeuralNGram
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
every_variant = pytest.mark.parametrize(
    "spec",
    [
        NeuralNGram(order=order, embedding=3, hidden=5, direct=direct, dropout=0.5)
        for order in (2, 4)
        for direct in (True, False)
    ],
    ids=lambda spec: f"{spec.order}-{'direct' if spec.direct else 'hidden'}",
)


def _built(spec: NeuralNGram) -> torch.nn.Module:
    torch.manual_seed(0)
    return spec.build(WORDS, 9).double().eval()


@every_variant
def test_values_are_those_of_the_paper(spec: NeuralNGram) -> None:
    """y = b + W x + U tanh(d + H x), x being the embeddings of the order - 1 tokens before, the oldest first."""
    network = _built(spec)
    weights = {name: value.tolist() for name, value in network.state_dict().items()}
    c, h_matrix, d = weights["embedding.weight"], weights["hidden.weight"], weights["hidden.bias"]
    u, b, w = weights["head.weight"], weights["head.bias"], weights.get("direct.weight")
    x_BT = torch.randint(3, 9, (2, 6))
    y_BTK = network(x_BT).tolist()
    for row in range(2):
        for at in range(6):
            x: list[float] = []
            for place in range(at - spec.order + 2, at + 1):
                x += c[int(x_BT[row, place])] if place >= 0 else [0.0] * spec.embedding
            hidden = [math.tanh(d[i] + sum(h_matrix[i][j] * x[j] for j in range(len(x)))) for i in range(spec.hidden)]
            for k in range(9):
                y = b[k] + sum(u[k][i] * hidden[i] for i in range(spec.hidden))
                y += sum(w[k][j] * x[j] for j in range(len(x))) if w else 0.0
                assert y_BTK[row][at][k] == pytest.approx(y, rel=1e-9, abs=1e-12)


@every_variant
def test_it_sees_the_tokens_before_and_no_others(spec: NeuralNGram) -> None:
    network = _built(spec)
    x_BT = torch.randint(3, 9, (2, 12))
    changed_BT = x_BT.clone()
    changed_BT[:, 5] = 3 + (x_BT[:, 5] - 2) % 6
    differs_T = (network(x_BT) != network(changed_BT)).any(2).any(0)
    assert differs_T.tolist() == [5 <= at < 5 + spec.order - 1 for at in range(12)]


@every_variant
def test_a_window_after_what_came_before_is_as_the_whole(spec: NeuralNGram) -> None:
    network, tokens_n = _built(spec), torch.randint(3, 9, (40,))
    source = Stream.of(tokens_n, 7, spec.reach)
    y_NTK = network(source.x)[:, spec.reach :]
    torch.testing.assert_close(y_NTK.flatten(0, 1), network(tokens_n[None, : y_NTK.shape[0] * 7])[0])


def test_padding_stays_zero() -> None:
    """A learner's step does not move what stands before the text."""
    device.prepare(0, "cpu")
    model, target = NeuralNGram(order=4, hidden=32).build(WORDS, 9), FittedNextToken(outputs=9)
    assert (model.get_parameter("embedding.weight")[0] == 0).all()
    source = Stream.of(torch.tensor([3, 4, 5, 3, 6, 7, 8]).repeat(60), 12, 3)
    config = TrainingConfig(
        Forward(target.criterion(CrossEntropy().build())),
        Batching(steps=150, steps_per_epoch=5, batch_size=8, seed=0),
        Evaluation(target.measure, summed=SummedMetrics(target.count, target.conclude)),
        rate_factor=lambda step, steps: 1.0,
    )
    learner = Learner(model, AdamW(lr=1e-2, weight_decay=0.1).over(model), config)
    losses = [step.series["train/loss"] for step in fit(learner, lambda epoch: source.epoch(0, epoch), None)]
    assert (model.get_parameter("embedding.weight")[0] == 0).all()
    # With three tokens before it there is no doubt about any but the very first of them.
    assert losses[-1] < 0.02 < 1 < losses[0]
    assert learner.evaluate(source.part())["perplexity"] < 1.05
