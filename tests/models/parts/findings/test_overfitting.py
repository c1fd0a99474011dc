"""A validation loss that rises."""

from typing import Any

import numpy as np
import pytest

from athanor.contract import Finding
from models.parts.finding import Training
from models.parts.findings.overfitting import Overfitting
from tests.job_results import results, training


def _training(best: int, to: float = 0.8, lowest: float = 0.4, prefix: str = "") -> Training:
    values = [*np.linspace(1.0, lowest, best), *np.linspace(lowest, to, 101 - best)[1:]]
    return training(prefix, val_loss=values)


def _judged(*trainings: Training, **said: Any) -> Finding | None:
    return Overfitting().judge(results(trainings=trainings, **said))


def test_it_rises_for_longer_than_it_fell() -> None:
    found = _judged(_training(20))
    assert found is not None and found.steps == [20, 100] and found.evidence.series == ["val/loss"]
    numbers = {"best_step": 20.0, "last_step": 100.0, "lowest": 0.4, "last": 0.8}
    assert found.evidence.numbers == pytest.approx(numbers)
    assert "step 20 of 100, 0.4, and 0.8 at the end" in found.explanation
    assert found.suggestion is not None and "early_stopping" in found.suggestion


@pytest.mark.parametrize(
    "quiet",
    [
        _training(60),  # late
        _training(20, to=0.43),  # as good as at its best
        _training(20, lowest=0.001, to=0.01),  # ten times as large, and both are next to nothing
        training(train_loss=[0.7, 0.1], val_loss=[0.033, 0.013, *[0.018] * 9]),  # the fall was in the first epoch
        training(train_loss=[1.0, 0.5]),
        training(val_loss=[0.5]),
        training(val_loss=[float("nan")] * 9),
    ],
)
def test_nothing_to_say(quiet: Training) -> None:
    assert _judged(quiet) is None


def test_a_job_that_stopped_for_it_has_heard_of_it() -> None:
    assert _judged(_training(20), step=100, steps=500) is None
    assert _judged(_training(20), step=100, steps=500, succeeded=False) is not None


def test_most_folds_must_show_it() -> None:
    shows, other = (_training(20, prefix=f"folds/{fold}/") for fold in (1, 2)), _training(90, prefix="folds/3/")
    found = _judged(*shows, other)
    assert found is not None and found.evidence.series == ["folds/1/val/loss", "folds/2/val/loss"]
    assert "2 of 3 folds" in found.explanation
    assert _judged(_training(20), other) is None


def test_the_steps_of_a_later_fold_begin_at_its_start() -> None:
    fold = _training(20, prefix="folds/2/").curves["val/loss"]
    later = Training({"val/loss": type(fold)(fold.steps + 1000, fold.values)}, "folds/2/", start=1000)
    found = _judged(later)
    assert found is not None and found.steps == [1020, 1100]
