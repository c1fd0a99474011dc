"""The trainings of a job, driven as a supervisor drives them: cut at every checkpoint, they end as if never touched."""

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from models.data.preparation import examples as preparation
from models.data.preparation.examples import Prepared
from tests.worker.training.driven import FOLDS, Dying, Job, Listening, Slow, upto
from worker.training import build as construction
from worker.training import point_buffer, run, thread_trial
from worker.training.learner import Learner


class TriedJob(Job):
    """A job whose first attempt tries numbers of threads, and finds that one is fastest."""

    settled: ClassVar[dict[str, int | None]] = {"threads": None, "most_threads": 2, "found_threads": None}


@pytest.mark.parametrize("dataset", [FOLDS, {}], ids=["folds", "one"])
def test_a_trial_of_threads_changes_no_bit(
    dataset: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def two_steps(step: Callable[[], object], most: int) -> int:
        tried.append(most)
        step()
        step()
        return 1

    for name in ("untried", "tried"):
        (tmp_path / name).mkdir()
    untried = Job(tmp_path / "untried", 1000, dataset).run()
    monkeypatch.setattr(thread_trial, "length", lambda most: 1)
    monkeypatch.setattr(thread_trial, "fastest", two_steps)
    job = TriedJob(tmp_path / "tried", 1000, dataset).run()
    assert job.results == untried.results
    assert tried == [2]
    assert (job.settlements, untried.settlements) == ([{"type": "settled", "threads": 1, "is_tried": True}], [])


def test_what_an_equal_training_has_found_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_trial, "length", lambda most: 1)
    monkeypatch.setattr(thread_trial, "fastest", None)
    monkeypatch.setattr(TriedJob, "settled", TriedJob.settled | {"found_threads": 1})
    assert TriedJob(tmp_path, 1000, {}).run().settlements == [{"type": "settled", "threads": 1, "is_tried": True}]


def test_a_short_training_takes_one_thread_untried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_trial, "fastest", None)
    monkeypatch.setattr(TriedJob, "settled", TriedJob.settled | {"found_threads": 2})
    job = TriedJob(tmp_path, 1000, {}, epochs=1).run()
    assert job.settlements == [{"type": "settled", "threads": 1, "is_tried": False}]


@pytest.mark.parametrize(
    ("dataset", "chosen"),
    [
        pytest.param(FOLDS, {}, id="folds"),
        # A fold may end before its last step; the steps of the next come after those it might have made.
        pytest.param(
            FOLDS, {"early_stopping": {"patience": 1, "min_delta": 10.0}, "ema": 0.8}, id="folds-that-stop-early"
        ),
        pytest.param({}, {"swa": {"start": 0.5}}, id="one"),
    ],
)
@pytest.mark.parametrize("every", [1, 2])
def test_a_job_cut_at_its_checkpoints_ends_as_if_never_touched(
    dataset: dict[str, Any], chosen: dict[str, Any], every: int, tmp_path: Path
) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = Job(tmp_path / "whole", 1000, dataset, **chosen).run()
    cut = Job(tmp_path / "cut", every, dataset, **chosen).run()
    assert (whole.attempts, cut.attempts) == (1, -(-len(whole.checkpoints) // every))
    assert cut.results == whole.results


@pytest.mark.parametrize("dataset", [FOLDS, {}], ids=["folds", "one"])
def test_a_reader_has_every_point_of_the_last_step_though_its_trainer_dies_before_the_checkpoint(
    dataset: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is done again is told as it was."""
    monkeypatch.setattr(point_buffer, "EVERY", -1.0)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole, cut = Job(tmp_path / "whole", 1000, dataset).run(), Job(tmp_path / "cut", 1000, dataset)
    cut.listener = Dying
    assert not cut.attempt()
    seen, newest = cut.results[0], cut.checkpoints[-1]["step"]
    last = max(step for series in seen.values() for step in series)
    assert newest < last
    assert seen == {name: part for name, series in whole.results[0].items() if (part := upto(series, last))}
    # As a claim does.
    cut.points = {name: upto(series, newest) for name, series in cut.points.items()}
    cut.listener = Listening
    assert cut.run().results == whole.results


def test_a_trainer_waits_until_its_last_snapshot_was_taken(tmp_path: Path) -> None:
    job = Job(tmp_path, 1000, {}, epochs=5)
    job.listener = Slow
    job.run()
    steps = [one["step"] for one in job.checkpoints]
    assert len(steps) == 5
    assert all((tmp_path / f"a1-step-{step}" / "state.json").exists() for step in steps[:-1])


@pytest.fixture
def folds(tmp_path: Path) -> Job:
    return Job(tmp_path, 1000, FOLDS).run()


def test_each_fold_has_its_series_and_checkpoints(folds: Job) -> None:
    for fold in (1, 2, 3):
        steps = list(folds.points[f"folds/{fold}/train/loss"])
        assert steps == list(range(9 * fold - 8, 9 * fold + 1))
        assert list(folds.points[f"folds/{fold}/val/loss"]) == steps[2::3]
        ours = [one for one in folds.checkpoints if one["member"] == fold]
        assert [one["step"] for one in ours] == steps[2::3]
        assert ours[-1]["reason"] == "final"
    assert "train/loss" not in folds.points


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_fold_s_network_and_data_are_gone_before_the_next_are_built(
    optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier: list[weakref.ref[Any]] = []
    alive: list[int] = []
    truly = preparation.prepare

    def prepare(*arguments: Any, **more: Any) -> Prepared:
        alive.append(sum(each() is not None for each in earlier))
        prepared = truly(*arguments, **more)
        earlier.extend(weakref.ref(each) for each in (prepared, prepared.train.x))
        return prepared

    def build(*arguments: Any) -> Learner:
        learner = built(*arguments)
        earlier.extend(weakref.ref(each) for each in (learner, learner.model, learner.optimizer))
        return learner

    built = construction.build
    monkeypatch.setattr(run, "prepare", prepare)
    monkeypatch.setattr(run, "build", build)
    Job(tmp_path, 1000, FOLDS, optimizer={"kind": optimizer}, ema=0.9).run()
    assert (len(earlier), alive) == (3 * 5, [0, 0, 0])


def test_the_result_of_folds_is_the_mean_of_their_tests(folds: Job) -> None:
    each = [folds.points[f"folds/{fold}/test/accuracy"] for fold in (1, 2, 3)]
    assert [list(one) for one in each] == [[9], [18], [27]]
    assert folds.points["test/accuracy"] == {27: pytest.approx(sum(sum(one.values()) for one in each) / 3)}


def test_each_fold_is_a_training_of_its_own(folds: Job) -> None:
    """The first weights of all are drawn from the same seed; the rows they see are not the same."""
    firsts = [folds.points[f"folds/{fold}/train/loss"][9 * fold - 8] for fold in (1, 2, 3)]
    assert len(set(firsts)) == 3
    states = [json.loads((Path(one["folder"]) / "state.json").read_text()) for one in folds.checkpoints]
    assert [state["state"]["step"] for state in states] == [3, 6, 9] * 3
    assert [state["completed_folds"]["folds"] for state in states] == [0] * 3 + [1] * 3 + [2] * 3


def test_the_baseline_is_the_mean_over_the_folds(folds: Job) -> None:
    """41 rows of three classes: 14, 14 and 13. Whoever names the first is right about a third of the time."""
    assert folds.baseline["kind"] == "majority"
    assert folds.baseline["values"]["test/accuracy"] == pytest.approx(1 / 3, abs=0.05)
