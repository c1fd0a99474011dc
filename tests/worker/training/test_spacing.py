"""Checkpoints keep their distance, and no best one is lost by that."""

import errno
import math
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch

from tests.worker.training.driven import FOLDS, Job, Killed, Listening, upto
from worker.training import loop, point_buffer, run, snapshot
from worker.training.learner import Learner
from worker.training.loop import NonFinite
from worker.training.step import StepTensors, step


class SpacedJob(Job):
    """A job whose checkpoints are two seconds apart."""

    policy: ClassVar[dict[str, Any]] = {}


class Stopping(Listening):
    """Orders a stop once it has heard of step 6."""

    why = "pause"

    def send(self, kind: str, **data: Any) -> None:
        super().send(kind, **data)
        if kind == "points" and data["step"] >= 6:
            self.parent_watch.stop = self.why


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock takes 0.3 seconds. The loop looks once a step, and once more after a checkpoint."""
    looks = count()
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: 0.3 * next(looks)))


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("dataset", [FOLDS, {}], ids=["folds", "one"])
@pytest.mark.parametrize("every", [1, 1000])
def test_the_best_waits_until_a_checkpoint_is_due(dataset: dict[str, Any], every: int, tmp_path: Path) -> None:
    for name in ("each", "spaced"):
        (tmp_path / name).mkdir()
    each = Job(tmp_path / "each", 1000, dataset, epochs=8).run()
    spaced = SpacedJob(tmp_path / "spaced", every, dataset, epochs=8).run()
    (points, all_weights, baseline), (spaced_points, weights, spaced_baseline) = each.results, spaced.results
    assert (spaced_points, spaced_baseline) == (points, baseline)
    assert every == 1 or 1 < len(spaced.checkpoints) < len(each.checkpoints)
    assert weights.items() >= {step: all_weights[step] for step in weights.keys() & all_weights.keys()}.items()
    for member in {one["member"] for one in each.checkpoints}:
        assert spaced.best(member) and each.best(member)
        best, again = (Path(str(job.best(member))).read_bytes() for job in (each, spaced))
        assert again == best


@pytest.mark.usefixtures("clock")
def test_a_job_that_is_told_to_stop_keeps_the_best_and_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_buffer, "EVERY", -1.0)
    for why, kept in {"cancel": [(4, "best")], "pause": [(4, "best"), (6, "stop")]}.items():
        (tmp_path / why).mkdir()
        job = SpacedJob(tmp_path / why, 1000, {}, epochs=8)
        monkeypatch.setattr(Stopping, "why", why)
        job.listener = Stopping
        assert not job.attempt()
        assert [(one["step"], one["reason"]) for one in job.checkpoints] == kept


class Dying(Listening):
    """Kills the trainer as soon as it has told of a best checkpoint that had waited."""

    def send(self, kind: str, **data: Any) -> None:
        super().send(kind, **data)
        if kind == "checkpoint" and data["step"] < max(self.reached.values(), default=0):
            raise Killed


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("chosen", [{}, {"ema": 0.8}, {"swa": {"start": 0.2}}], ids=["plain", "ema", "swa"])
def test_a_resume_from_a_best_that_waited_is_exact(chosen: dict[str, Any], tmp_path: Path) -> None:
    for name in ("each", "killed"):
        (tmp_path / name).mkdir()
    each = Job(tmp_path / "each", 1000, {}, epochs=8, **chosen).run()
    killed = SpacedJob(tmp_path / "killed", 1000, {}, epochs=8, **chosen)
    killed.listener = Dying
    assert not killed.attempt()
    newest = killed.checkpoints[-1]["step"]
    # As a claim does.
    killed.points = {name: upto(series, newest) for name, series in killed.points.items()}
    killed.listener = Listening
    killed.run()
    assert killed.attempts == 2
    (points, weights, _), (points_again, weights_again, _) = each.results, killed.results
    assert points_again == points
    assert weights_again.items() <= weights.items()


@pytest.mark.usefixtures("clock")
def test_a_job_that_fails_keeps_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fails_at(6, monkeypatch)
    job = SpacedJob(tmp_path, 1000, {}, epochs=8)
    with pytest.raises(NonFinite, match="step 6"):
        job.attempt()
    assert [(one["step"], one["reason"]) for one in job.checkpoints] == [(4, "best")]
    assert list(job.points["train/loss"]) == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("clock")
def test_what_fails_after_a_failure_does_not_hide_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    _fails_at(6, monkeypatch)
    monkeypatch.setattr(snapshot, "write", full)
    with pytest.raises(NonFinite, match="step 6"):
        SpacedJob(tmp_path, 1000, {}, epochs=8).attempt()


def _fails_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(learner: Learner, *more: Any) -> StepTensors:
        tensors = step(learner, *more)
        if learner.state.step + 1 == number:
            tensors.loss = torch.tensor(math.nan)
        return tensors

    monkeypatch.setattr(loop, "step", failing)
