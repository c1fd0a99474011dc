"""Jobs as the API shows them."""

import math
import statistics
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.orm import Session

from athanor.contract import CrossValidation, Job, JobError, Point, Spread, State
from models.records import events, job_views, jobs, metrics, workers
from models.records.database import Database
from models.records.tables import Job as Row
from models.records.tables import Worker
from tests.factories import LEASE, a_checkpoint, a_job, a_worker, some_points


def shown(tx: Session, job_id: str) -> Job:
    job = job_views.job(tx, job_id, LEASE)
    assert job is not None
    return job


def test_a_waiting_job(database: Database) -> None:
    with database.writing() as tx:
        job = shown(tx, a_job(tx, name="first", tags={"team": "red"}, steps=80))
    assert (job.name, job.state, job.is_terminal, job.desired, job.attempt) == ("first", "queued", False, "run", 0)
    assert (job.progress.step, job.progress.steps, job.latest, job.best, job.tags) == (0, 80, {}, {}, {"team": "red"})
    assert (job.started_at, job.finished_at, job.error) == (None, None, None)
    assert job.created_at.endswith("Z") and job.folds is None


def test_a_job_that_ran(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        jobs.beat(tx, job_id, 1, LEASE, (3, 0.3, 4.5))
        batch = {
            name: some_points(start=1, stop=4, values=[0.5, 0.9, 0.7]) for name in ("val/loss", "val/accuracy", "lr")
        }
        batch["train/loss"] = some_points(start=1, stop=3, values=[2.0, math.nan])
        metrics.append(tx, job_id, batch)
        job = shown(tx, job_id)
        assert (job.progress.step, job.progress.epoch, job.progress.eta_seconds) == (3, 0.3, 4.5)
        assert job.latest["val/loss"] == Point(step=3, value=0.7)
        assert math.isnan(job.latest["train/loss"].value)
        assert job.best == {
            "val/loss": Point(step=1, value=0.5),
            "val/accuracy": Point(step=2, value=0.9),
            "train/loss": Point(step=1, value=2.0),
        }
        jobs.fail(tx, job_id, 1, JobError(code="diverged", message="the loss is NaN"))
        job = shown(tx, job_id)
        assert job.error == JobError(code="diverged", message="the loss is NaN")
        assert (job.is_terminal, job.progress.eta_seconds) == (True, None)
        assert [(move.from_, move.to, move.attempt) for move in job.transitions] == [
            (None, "queued", 0),
            ("queued", "starting", 1),
            ("starting", "running", 1),
            ("running", "failed", 1),
        ]


def test_the_folds_of_a_cross_validation(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING, trainings=3)
        job = shown(tx, job_id)
        assert job.folds == CrossValidation(n=3, done=0, series={})
        for fold, (loss, r2) in enumerate([(0.5, 0.25), (0.75, math.nan)], 1):
            series = {f"folds/{fold}/test/loss": loss, f"folds/{fold}/test/r2": r2, f"folds/{fold}/val/loss": 9.0}
            points = {name: some_points(start=fold, stop=fold + 1, values=[value]) for name, value in series.items()}
            metrics.append(tx, job_id, points | {f"folds/{fold}/lr": some_points(start=fold, stop=fold + 1)})
            folds = shown(tx, job_id).folds
            assert folds is not None and folds.done == fold
            if fold == 1:
                assert folds.series["test/loss"] == Spread(mean=0.5, std=None, values=[0.5])
        job = shown(tx, job_id)
        assert job.folds is not None and set(job.folds.series) == {"test/loss", "test/r2"}
        spread = job.folds.series["test/loss"]
        assert (spread.mean, spread.values) == (0.625, [0.5, 0.75])
        assert spread.std == pytest.approx(statistics.stdev(spread.values))
        undefined = job.folds.series["test/r2"]
        assert math.isnan(undefined.mean) and undefined.std is not None and math.isnan(undefined.std)
        assert "folds/1/lr" in job.latest and "folds/1/lr" not in job.best


def test_an_unknown_job(database: Database) -> None:
    with database.reading() as tx:
        assert job_views.job(tx, "job_unknown", LEASE) is None
        assert job_views.version(tx, "job_unknown") is None
        assert job_views.state(tx, "job_unknown") is None


def test_the_version_changes_with_whatever_shows(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        versions = [job_views.version(tx, job_id)]

        def changed() -> None:
            versions.append(job_views.version(tx, job_id))

        assert jobs.claim(tx, a_worker(tx), ["auto"], LEASE)
        changed()
        jobs.begin(tx, job_id, 1, [(9, None)], "cpu", {})
        changed()
        jobs.beat(tx, job_id, 1, LEASE, (1, 0.1, None))
        changed()
        a_checkpoint(tx, job_id=job_id, step=1)
        changed()
        jobs.pause(tx, job_id)
        changed()
        jobs.release(tx, job_id, 1)
        changed()
        assert job_views.state(tx, job_id) == "paused"
    assert len(set(versions)) == len(versions)


def test_pages_of_jobs_by_state_and_tag(database: Database) -> None:
    with database.writing() as tx:
        red = sorted((a_job(tx, tags={"team": "red", "x": "y"}) for _ in range(3)), reverse=True)
        a_job(tx, tags={"team": "blue", "red": "team"}, state=State.RUNNING)
        paused = a_job(tx, state=State.PAUSED)
        for asked, expected in [
            ((None, [("team", "red")], None, 10), red),
            ((None, [("team", "red")], None, 2), red[:2]),
            ((None, [("team", "red")], red[1], 2), red[2:]),
            ((None, [("team", "red"), ("team", "blue")], None, 10), []),
            ((State.PAUSED, [], None, 10), [paused]),
            ((State.RUNNING, [("team", "red")], None, 10), []),
        ]:
            assert [job.id for job in job_views.page(tx, *asked, LEASE)[0]] == expected
        assert len(job_views.page(tx, None, [], None, 10, LEASE)[0]) == 5


def test_events_by_number(database: Database) -> None:
    with database.writing() as tx:
        job_id, other = a_job(tx), a_job(tx)
        for number in range(5):
            events.note(tx, job_id, 1, "log", {"line": f"line {number}"})
            events.note(tx, other, 1, "log", {"line": "of another"})
        everyone = events.since(tx, job_id, 0, 100)
        assert [event.kind for event in everyone] == ["state"] + ["log"] * 5
        assert events.since(tx, job_id, everyone[2].seq, 2) == everyone[3:5]
        assert events.log_lines(tx, job_id) == [f"line {number}" for number in range(5)]
        assert (events.count(tx, job_id, "log"), events.count(tx, job_id, "warning")) == (5, 0)


@pytest.mark.parametrize(("silence", "state"), [(0.0, "draining"), (LEASE - 5, "draining"), (LEASE + 1, "gone")])
def test_workers_with_what_they_hold(database: Database, silence: float, state: str) -> None:
    with database.writing() as tx:
        idle, busy = a_worker(tx, host="idle"), a_worker(tx, host="busy")
        held = [a_job(tx, state=State.RUNNING, worker_id=busy) for _ in range(2)]
        for worker_id in (idle, busy):
            workers.beat(tx, worker_id, "draining")
        for worker in tx.query(Worker):
            worker.heartbeat_at -= silence
        tx.flush()
        shown = {worker.host: worker for worker in workers.page(tx, None, 10, LEASE)[0]}
        assert (shown["busy"].running, shown["idle"].running) == (sorted(held), [])
        assert {worker.state for worker in shown.values()} == {state}
        assert shown["busy"].devices[0].name == "a processor"
        first = workers.page(tx, None, 1, LEASE)[0]
        assert [worker.id for worker in [*first, *workers.page(tx, first[0].id, 10, LEASE)[0]]] == sorted(
            [idle, busy], reverse=True
        )


def test_a_list_by_state_is_read_from_an_index(database: Database, dialect: str) -> None:
    """Both databases are asked how they would read it, over a table in which few of many jobs are in that state."""
    asked: list[tuple[str, Any]] = []
    with database.writing() as tx:
        first = a_job(tx, state=State.PAUSED)
        row = {name: value for name, value in vars(tx.scalars(select(Row)).one()).items() if not name.startswith("_")}
        ended = {"state": "succeeded", "desired": "run", "lease_owner": None, "lease_expires_at": None}
        tx.execute(insert(Row), [row | ended | {"id": f"job_{number:05}"} for number in range(3000)])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    with database.reading() as tx:

        def see(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
            asked.append((statement, parameters))

        event.listen(database.engine, "before_cursor_execute", see)
        try:
            found = job_views.page(tx, State.PAUSED, [], "job_g", 10, LEASE)[0]
        finally:
            event.remove(database.engine, "before_cursor_execute", see)
        assert [job.id for job in found] == ([first] if first < "job_g" else [])
        statement, parameters = next(each for each in asked if each[0].startswith("SELECT jobs."))
        explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
        plan = "\n".join(str(row) for row in tx.connection().exec_driver_sql(explain + statement, parameters))
    assert "ix_jobs_state" in plan, plan
    assert "SCAN" not in plan and "Seq Scan" not in plan and "Sort" not in plan and "TEMP B-TREE" not in plan, plan
