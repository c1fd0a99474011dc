"""What a job's log says of its attempts, and how much of it."""

from pathlib import Path

import pytest

from tests.api import kit
from worker.messages import Completion, Failure, PointBatch
from worker.supervision.milestones import ALWAYS, Milestones


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def milestones(lines: list[str], clock: list[float]) -> Milestones:
    return Milestones(lines.append, 1, lambda: clock[0])


def reached(step: int, epoch: float, **series: tuple[list[int], list[float]]) -> PointBatch:
    columns = {name.replace("__", "/"): (steps, values, [0.0] * len(steps)) for name, (steps, values) in series.items()}
    return PointBatch(type="points", step=step, epoch=epoch, eta=0.0, series=columns)


def test_an_epoch_is_summed_up_at_its_end(milestones: Milestones, lines: list[str]) -> None:
    milestones.reached(
        reached(
            5,
            1.25,
            train__loss=([3, 4, 5], [0.75, 0.5, 0.25]),
            val__loss=([4], [0.125]),
            lr=([3, 4, 5], [1.0, 1.0, 1.0]),
            samples_per_second=([4], [100.0]),
        )
    )
    assert lines == ["2027-01-15T08:00:00.000Z epoch 1, step 4: train/loss 0.5, val/loss 0.125"]


def test_a_fold_and_its_test_are_named(milestones: Milestones, lines: list[str]) -> None:
    milestones.reached(
        reached(
            8,
            2.0,
            folds__2__train__loss=([8], [0.5]),
            folds__2__samples_per_second=([8], [1.0]),
            folds__2__test__loss=([8], [0.25]),
            test__loss=([8], [0.375]),
        )
    )
    said = [line.partition(" ")[2] for line in lines]
    assert said == ["epoch 2, step 8: folds/2/train/loss 0.5", "tested: folds/2/test/loss 0.25, test/loss 0.375"]


def test_points_within_an_epoch_are_no_milestone(milestones: Milestones, lines: list[str]) -> None:
    milestones.reached(reached(3, 0.75, train__loss=([2, 3], [0.75, 0.5])))
    assert lines == []


def test_a_day_of_short_epochs_does_not_fill_the_log(
    milestones: Milestones, lines: list[str], clock: list[float]
) -> None:
    for step in range(1, 86_400, 2):
        clock[0] += 2
        milestones.reached(reached(step, float(step), samples_per_second=([step], [1.0])))
    assert ALWAYS < len(lines) < 1000


def test_how_it_ended(milestones: Milestones, lines: list[str]) -> None:
    milestones.ended(Completion(type="finished"), "killed")
    milestones.ended(Failure(type="failed", code="data", message="row 3", retryable=False), "killed")
    milestones.ended(None, "killed")
    said = [line.partition(" ")[2] for line in lines]
    assert said == [f"attempt 1 ended: {how}" for how in ("finished", "failed: row 3", "killed")]


def test_the_log_of_a_job_tells_its_story(tmp_path: Path) -> None:
    with kit.installation(tmp_path) as house, house.client() as client:
        job_id = kit.submit(client, kit.spec("linear"))
        kit.train(house.settings)
        logged = client.get(f"/v1/jobs/{job_id}/logs").text.splitlines()
    said = [line.partition(" ")[2] for line in logged]
    assert said[0].startswith("attempt 1 begins, with the ") and said[1] == "attempt 1 runs on cpu"
    assert said[-1] == "attempt 1 ended: finished"
    for begins in ("epoch ", "checkpoint of step ", "tested: test/"):
        assert any(line.startswith(begins) for line in said), said


def test_a_job_that_fails_before_it_trains_says_so_in_its_log(tmp_path: Path) -> None:
    with kit.installation(tmp_path) as house, house.client() as client:
        job_id = kit.submit(client, kit.spec("linear"))
        for rows in house.settings.data.glob("store/datasets/*"):
            rows.write_bytes(b"damaged")
        kit.train(house.settings)
        job = client.get(f"/v1/jobs/{job_id}").json()
        logged = client.get(f"/v1/jobs/{job_id}/logs").text
    assert job["state"] == "failed"
    assert "attempt 1 ended: the rows of dataset" in logged
