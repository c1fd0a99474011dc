"""A training loss that hardly moves."""

import numpy as np
import pytest

from models.parts.finding import Training
from models.parts.findings.flat_loss import FlatLoss
from tests.job_results import results, training

RNG = np.random.default_rng(0)


def _training(*points: float, prefix: str = "", noise: float = 0.0) -> Training:
    """A loss that goes straight from each point to the next, in 200 steps."""
    values = np.interp(np.linspace(0, len(points) - 1, 200), range(len(points)), points)
    return training(prefix, train_loss=(values + noise * RNG.standard_normal(200)).tolist())


@pytest.mark.parametrize(
    ("flat", "says"),
    [
        (_training(2.3, 2.25), "fell by 2"),
        (_training(2.3, 2.3, noise=0.05), "train/loss"),
        (_training(2.3, 2.9), "rose by 2"),
        (training(train_loss=[2.3, 2.29]), "fell by 0.4%, from 2.3 to 2.29"),
    ],
)
def test_it_hardly_moves(flat: Training, says: str) -> None:
    found = FlatLoss().judge(results(trainings=[flat]))
    assert found is not None and says in found.explanation and found.suggestion and "lr" in found.suggestion
    assert found.evidence.series == ["train/loss"] and found.steps == [1, len(flat.curves["train/loss"])]
    assert found.evidence.numbers["fall"] < 0.05


@pytest.mark.parametrize(
    "quiet",
    [
        _training(2.3, 2.1),
        # All of the fall is in the first steps of a long training.
        training(train_loss=[2.3, 1.1, 0.7, *[0.5] * 500]),
        training(train_loss=[0.0] * 50),
        training(train_loss=[2.3]),
        training(train_loss=[float("nan")] * 9),
        training(val_loss=[2.3] * 9),
    ],
)
def test_nothing_to_say(quiet: Training) -> None:
    assert FlatLoss().judge(results(trainings=[quiet])) is None
    assert FlatLoss().judge(results(trainings=[])) is None


def test_a_fork_has_learned_before() -> None:
    assert FlatLoss().judge(results(trainings=[_training(0.2, 0.2)], is_fork=True)) is None


def test_most_folds_must_show_it() -> None:
    flat, other, falls = (_training(2.3, end, prefix=f"folds/{fold}/") for fold, end in ((1, 2.29), (2, 2.3), (3, 0.1)))
    found = FlatLoss().judge(results(trainings=[flat, other, falls]))
    assert found is not None and "2 of 3 folds" in found.explanation
    assert FlatLoss().judge(results(trainings=[flat, falls])) is None
