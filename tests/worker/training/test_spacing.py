"""Checkpoints keep their distance, and no best one is lost by that."""

import math
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from tests.worker.training.driven import FOLDS, Job, Listening
from worker.training import point_buffer, run
from worker.training.loop import NonFinite, Step


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
        assert spaced._best(member) and each._best(member)
        best, again = (Path(str(job._best(member))).read_bytes() for job in (each, spaced))
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
        assert not job._attempt()
        assert [(one["step"], one["reason"]) for one in job.checkpoints] == kept


@pytest.mark.usefixtures("clock")
def test_a_job_that_fails_keeps_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truly = run.TrainingRun.receive

    def receive(this: run.TrainingRun, step: Step, points: point_buffer.PointBuffer) -> bool:
        if step.number == 6:
            raise NonFinite(6, math.nan, 0.05)
        return truly(this, step, points)

    monkeypatch.setattr(run.TrainingRun, "receive", receive)
    job = SpacedJob(tmp_path, 1000, {}, epochs=8)
    assert not job._attempt()
    assert [(one["step"], one["reason"]) for one in job.checkpoints] == [(4, "best")]
