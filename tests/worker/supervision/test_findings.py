"""What is found of real jobs, and of a rule that fails."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from athanor.contract import Baseline, Finding, State
from models.parts.finding import FINDINGS, JobResults
from models.parts.findings.flat_loss import FlatLoss
from models.records import jobs, metrics
from models.records.chunks import Points
from models.records.database import Database
from models.records.tables import Job
from tests.api import kit
from tests.factories import LEASE, a_job
from worker.supervision import findings


def _job(tx: Session, series: dict[str, list[float]], baseline: dict[str, float], **plan: Any) -> str:
    job_id = a_job(tx, state=State.RUNNING)
    steps = max(map(len, series.values()))
    jobs.beat(tx, job_id, 1, LEASE, (steps, 1.0, None))
    for name, values in series.items():
        at = range(steps - len(values) + 1, steps + 1)
        metrics.append(tx, job_id, {name: Points.of(list(at), values, [0.0] * len(values))})
    jobs.note_baseline(tx, job_id, 1, Baseline(kind="majority", values=baseline))
    known = {"steps": steps, "trainings": 1, "directions": {"loss": "min", "accuracy": "max"}, **plan}
    tx.execute(update(Job).where(Job.id == job_id).values(plan=known))
    return job_id


def _judged(database: Database, job_id: str, succeeded: bool = True) -> dict[str, Finding]:
    with database.reading() as tx:
        return {found.rule: found for found in findings.judge(tx, job_id, succeeded)}


def test_every_rule_sees_what_is_recorded(database: Database) -> None:
    falls = [*np.linspace(1.0, 0.5, 20), *np.linspace(0.5, 0.9, 81)[1:]]
    series = {"train/loss": [2.3] * 100, "val/loss": falls, "val/accuracy": [0.4, 0.5], "test/accuracy": [0.6]}
    with database.writing() as tx:
        plan = {"val_rows": 10, "test_rows": 20, "intervals": {"accuracy": "proportion"}}
        job_id = _job(tx, series, {"test/accuracy": 0.7, "val/accuracy": 0.1}, **plan)
    found = _judged(database, job_id)
    assert set(found) == {"below_baseline", "flat_loss", "overfitting", "small_part"}
    numbers = found["below_baseline"].evidence.numbers
    assert (numbers["test/accuracy"], numbers["baseline test/accuracy"], numbers["rows"]) == (0.6, 0.7, 20)
    assert found["small_part"].evidence.numbers["rows"] == 20
    assert found["overfitting"].steps == [20, 100]


def test_without_a_test_part_the_best_value_counts(database: Database) -> None:
    with database.writing() as tx:
        series = {"val/accuracy": [0.4, 0.8, 0.5]}
        job_id = _job(tx, series, {"val/accuracy": 0.7}, val_rows=1000, intervals={"accuracy": "proportion"})
    assert _judged(database, job_id) == {}


def test_a_job_that_has_recorded_nothing(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
    assert _judged(database, job_id, succeeded=False) == {}


def test_a_rule_that_fails_is_left_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: FlatLoss, job: JobResults) -> Finding | None:
        raise ZeroDivisionError

    with database.writing() as tx:
        job_id = _job(tx, {"train/loss": [2.3] * 100, "val/accuracy": [0.5]}, {"val/accuracy": 0.7})
    assert set(_judged(database, job_id)) == {"flat_loss", "below_baseline"}
    monkeypatch.setattr(FlatLoss, "judge", fails)
    assert set(_judged(database, job_id)) == {"below_baseline"}
    monkeypatch.setattr(metrics, "overview", fails)
    assert _judged(database, job_id) == {}


def _trained(folder: Path, *specs: dict[str, Any]) -> list[dict[str, Any]]:
    with kit.installation(folder) as house, house.client() as client:
        ids = [kit.submit(client, spec) for spec in specs]
        kit.train(house.settings)
        listed = {job["id"]: job for job in client.get("/v1/jobs").json()["data"]}
        shown = [client.get(f"/v1/jobs/{id}").json() for id in ids]
    assert [listed[id]["findings"] for id in ids] == [job["findings"] for job in shown]
    assert [job["state"] for job in shown] == ["succeeded"] * len(ids)
    return shown


@pytest.mark.parametrize(
    ("kind", "dataset", "expected"),
    [("linear", "iris", "15 rows"), ("mlp", "breast_cancer", "57 rows"), ("linear", "digits", None)],
)
def test_good_jobs_cause_no_alarm(kind: str, dataset: str, expected: str | None, tmp_path: Path) -> None:
    """With all defaults. That a test part of 15 rows tells little is true, and no alarm."""
    (job,) = _trained(tmp_path, kit.spec(kind, dataset))
    assert [(each["rule"], each["severity"]) for each in job["findings"]] == [("small_part", "info")][: bool(expected)]
    for each in job["findings"]:
        assert expected is not None and expected in each["explanation"]
        assert each["evidence"]["series"] == ["test/accuracy"]


def test_a_rate_of_next_to_nothing_is_found(tmp_path: Path) -> None:
    slow = {"epochs": 3, "optimizer": {"kind": "sgd", "lr": 1e-9}}
    (job,) = _trained(tmp_path, kit.spec("mlp", "digits", hyperparameters=slow))
    assert "flat_loss" in {each["rule"] for each in job["findings"]}


def test_the_rules_are_in_the_catalog(tmp_path: Path) -> None:
    with kit.installation(tmp_path) as house, house.client() as client:
        listed = {part["kind"] for part in client.get("/v1/catalog").json()["findings"]}
    assert listed == {rule.model_fields["kind"].default for rule in FINDINGS}
