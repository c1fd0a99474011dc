"""Micro-batches: the gradient of a step is that of its whole batch."""

from typing import Any

import pytest
import torch

from models.data.preparation.examples import Part
from models.parts.architecture import Architecture
from models.parts.architectures.cnn import CNN
from models.parts.architectures.rnn import RNN
from models.parts.architectures.transformer_lm import TransformerLM
from models.parts.inputs import InputKind
from models.parts.optimizers.sgd import SGD
from tests import small
from worker.training.batch import Batch
from worker.training.learner import Learner
from worker.training.loop import fit
from worker.training.step import step

ROWS = 22
NETWORKS: dict[str, tuple[Architecture, InputKind]] = {
    "cnn": (CNN(channels=[3], hidden=[4], dropout=0.0, normalization="none"), "image"),
    "rnn": (RNN(hidden=3, embedding=3, dropout=0.0, word_dropout=0.0), "text"),
    "language": (TransformerLM(width=8, heads=2, layers=1, dropout=0.0), "text"),
}


def _learner(name: str, accumulate: int, **more: Any) -> tuple[Learner, Part]:
    architecture, kind = NETWORKS[name]
    language = name == "language"
    given = {"rows": ROWS, "steps": 8, "batch_size": 7, "accumulate": accumulate, **more}
    learner = small.learner(architecture, SGD(lr=0.1), kind, language=language, **given)
    return learner, (small.text(ROWS) if language else small.problem(kind, ROWS))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("accumulate", [2, 3, 7])
def test_a_training_is_that_of_whole_batches(name: str, accumulate: int) -> None:
    """To rounding, also where the pieces have fewer words than others, and where the last batch is smaller."""
    (whole, part), (pieced, _) = (_learner(name, pieces, clip_norm=0.5, l1=0.01) for pieces in (1, accumulate))
    small.assert_alike(whole, pieced, part, part, rel=1e-4, at=1e-6)


def test_memory_is_needed_for_one_micro_batch() -> None:
    learner, part = _learner("cnn", 3)
    seen: list[int] = []
    learner.model.register_forward_pre_hook(lambda model, given: seen.append(len(given[0])))
    list(fit(learner, part, part))
    assert max(seen) == 3


def test_mixed_and_weighted_rows_stay_with_their_partners() -> None:
    x_N, t_N, *_ = small.problem("image", 9)
    batch = Batch(x_N, t_N, t_N.roll(1), torch.linspace(0, 1, 9), torch.linspace(0, 2, 9))
    losses = [float(step(_learner("cnn", pieces)[0], batch).loss) for pieces in (1, 2, 4)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


@pytest.mark.parametrize("empty", [[0, 1], [2, 3], [1, 2, 5]])
def test_micro_batches_without_targets_change_nothing(empty: list[int]) -> None:
    x_NT, t_NT, *_ = small.text(6)
    t_NT = t_NT.clone()
    t_NT[empty] = -1
    found = []
    for pieces in (1, 3, 6):
        learner, _ = _learner("language", pieces)
        found.append((float(step(learner, Batch(x_NT, t_NT)).loss), learner.weights()))
    for loss, weights in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-5)
        for key, expected in found[0][1].items():
            torch.testing.assert_close(weights[key], expected, rtol=1e-4, atol=1e-6)


def test_dropout_draws_anew_for_each_micro_batch() -> None:
    architecture = CNN(channels=[3], hidden=[40], dropout=0.5, normalization="none")
    x_1, t_1, *_ = small.problem("image", 1)
    assert isinstance(x_1, torch.Tensor)
    learner = small.learner(architecture, SGD(lr=0.1), "image", rows=ROWS, batch_size=2, accumulate=2)
    one, other = step(learner, Batch(x_1.repeat(2, 1, 1, 1), t_1.repeat(2))).y_BK
    assert not torch.equal(one, other)
