"""Jobs as the API shows them: the row, its transitions, and the state of its series."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from athanor import contract
from athanor.contract import (
    Baseline,
    ColumnRole,
    CrossValidation,
    Direction,
    Finding,
    Interval,
    JobError,
    Origin,
    Point,
    Progress,
    Spread,
    State,
    Transition,
    Waiting,
    Warned,
)
from models.records import attempts, data_warnings, pages
from models.records.tables import Event, Job, Series, Tag
from models.records.times import rfc3339
from models.records.waiting import waiting


def job(tx: Session, job_id: str, lease: float) -> contract.Job | None:
    """One job; None for an unknown id. A worker without a heartbeat for `lease` seconds counts as gone."""
    row = tx.scalar(select(Job).where(Job.id == job_id))
    return _answers(tx, [row], waiting(tx, [row], lease))[0] if row else None


def version(tx: Session, job_id: str) -> int | None:
    """A number that changes with every change of the row; None for an unknown id."""
    return tx.scalar(select(Job.version).where(Job.id == job_id))


def unless_known(
    tx: Session, job_id: str, lease: float, is_known: Callable[[str], bool]
) -> tuple[str, contract.Job | None] | None:
    """The ETag of a job, a quoted string, and the job unless the caller knows this ETag. None for an unknown id.

    The ETag includes what a queued job waits for, which may change while the row does not.
    """
    row = tx.scalar(select(Job).where(Job.id == job_id))
    if row is None:
        return None
    waits = waiting(tx, [row], lease)
    found = waits.get(job_id)
    digest = f"-{hashlib.sha256(found.model_dump_json().encode()).hexdigest()[:16]}" if found else ""
    etag = f'"{row.version}{digest}"'
    return etag, None if is_known(etag) else _answers(tx, [row], waits)[0]


def best_mode(tx: Session, job_id: str) -> Direction | None:
    """The direction of the series that decides which checkpoint of a job is best; None for an unknown id."""
    policies = [spec["checkpoints"]["mode"].as_string() for spec in (Job.resolved["spec"], Job.spec)]
    found: Direction | None = tx.scalar(select(func.coalesce(*policies)).where(Job.id == job_id))
    return found


def resolved(tx: Session, job_id: str) -> tuple[str, dict[str, Any] | None] | None:
    """The id of a job's dataset, and its resolved spec (None for a job of version 0.1). None for an unknown id."""
    row = tx.execute(select(Job.dataset_id, Job.resolved).where(Job.id == job_id)).first()
    return (row.dataset_id, row.resolved) if row else None


class Planned(NamedTuple):
    """What the plan of a job says about its results."""

    trainings: int
    val_rows: int
    test_rows: int
    """Rows that are tested in all trainings together."""
    intervals: dict[str, Interval]


def planned(tx: Session, job_id: str) -> Planned | None:
    """None for an unknown id."""
    row = tx.execute(select(Job.plan, Job.resolved).where(Job.id == job_id)).first()
    if row is None:
        return None
    sizes = (row.resolved or {}).get("sizes", ())
    tested = sum(each["test"] for each in sizes) if sizes else row.plan.get("test_rows", 0)
    trainings: int = row.plan["trainings"]
    return Planned(trainings, row.plan.get("val_rows", 0), tested, row.plan.get("intervals", {}))


STEADY = frozenset({"lr", "grad_norm", "samples_per_second", "unknown_words/val", "unknown_words/test"})
"""Series that do not depend on the metrics of a job. A training may have them, some only from its first epoch on."""


def evaluated(tx: Session, job_id: str) -> set[str]:
    """The names of all series that a training of a job may have, without the prefix of its fold."""
    directions: dict[str, Direction] = tx.scalar(select(Job.plan["directions"]).where(Job.id == job_id)) or {}
    return {f"{part}/{name}" for part in ("train", "val", "test") for name in directions} | STEADY


def state(tx: Session, job_id: str) -> State | None:
    found = tx.scalar(select(Job.state).where(Job.id == job_id))
    return State(found) if found else None


def page(
    tx: Session, state: State | None, tags: Sequence[tuple[str, str]], after: str | None, limit: int, lease: float
) -> tuple[list[contract.Job], bool]:
    """Jobs, newest first, that have all `tags` (name, value), and whether more follow. `lease` is as in `job`."""
    query = select(Job).order_by(Job.id.desc())
    if state is not None:
        query = query.where(Job.state == state)
    for name, value in tags:
        query = query.where(Job.id.in_(select(Tag.job_id).where(Tag.name == name, Tag.value == value)))
    if after is not None:
        query = query.where(Job.id < after)
    rows, more = pages.fitting(tx, query, limit, Job.spec, Job.resolved, Job.plan)
    return _answers(tx, rows, waiting(tx, rows, lease)), more


def _answers(tx: Session, rows: list[Job], waits: Mapping[str, Waiting]) -> list[contract.Job]:
    ids = [row.id for row in rows]
    transitions: dict[str, list[Transition]] = defaultdict(list)
    moved = select(Event).where(Event.job_id.in_(ids), Event.kind == "state").order_by(Event.seq)
    for event in tx.scalars(moved):
        shown = {"at": rfc3339(event.at), "attempt": event.attempt, **event.data}
        transitions[event.job_id].append(Transition.model_validate(shown))
    latest: dict[str, dict[str, Point]] = defaultdict(dict)
    best: dict[str, dict[str, Point]] = defaultdict(dict)
    warned = data_warnings.of_jobs(tx, ids)
    directions, threads = {row.id: row.plan["directions"] for row in rows}, attempts.threads(tx, ids)
    for series in tx.scalars(select(Series).where(Series.job_id.in_(ids)).order_by(Series.name)):
        value = math.nan if series.last_value is None else series.last_value
        latest[series.job_id][series.name] = Point(step=series.last_step, value=value)
        # A series without a direction, such as the learning rate, has no best value.
        direction = directions[series.job_id].get(series.name.rpartition("/")[2])
        high = direction == "max"
        step, top = (series.max_step, series.max_value) if high else (series.min_step, series.min_value)
        if direction is not None and step is not None and top is not None:
            best[series.job_id][series.name] = Point(step=step, value=top)
    return [
        contract.Job(
            id=row.id,
            name=row.name,
            state=State(row.state),
            is_terminal=State(row.state).is_terminal,
            desired=row.desired,
            spec=row.resolved["spec"] if row.resolved else row.spec,
            submitted=row.spec,
            dataset_id=row.dataset_id,
            warnings=_warnings(row.plan.get("warnings", ()), warned.get(row.id, [])),
            columns=[ColumnRole.model_validate(each) for each in (row.resolved or {}).get("columns", ())],
            origin=Origin.model_validate(row.origin) if row.origin else None,
            attempt=row.attempt,
            threads=threads.get(row.id),
            engine_reason=(row.resolved or {}).get("engine_reason"),
            created_at=rfc3339(row.created_at),
            started_at=rfc3339(row.started_at),
            finished_at=rfc3339(row.finished_at),
            waiting=waits.get(row.id),
            progress=Progress(step=row.step, steps=row.plan["steps"], epoch=row.epoch, eta_seconds=row.eta_seconds),
            directions=directions[row.id],
            latest=latest[row.id],
            best=best[row.id],
            baseline=Baseline.model_validate(row.baseline) if row.baseline else None,
            folds=_folds(row.plan["trainings"], latest[row.id]),
            findings=[Finding.model_validate(each) for each in row.findings or ()],
            stop_seconds=row.stop_seconds,
            failures=row.failures,
            preemptions=row.preemptions,
            worker_lost=row.worker_lost,
            bit_exact=row.bit_exact,
            error=JobError.model_validate(row.error) if row.error else None,
            transitions=transitions[row.id],
            tags=row.spec.get("tags", {}),
        )
        for row in rows
    ]


def _warnings(planned: Iterable[dict[str, Any]], seen: list[Warned]) -> list[Warned]:
    """Warnings about a job's data: those of its dataset, and those of its trainer, which has counted its own rows."""
    counted = {each.code for each in seen}
    return [*(each for each in map(Warned.model_validate, planned) if each.code not in counted), *seen]


def _folds(trainings: int, latest: dict[str, Point]) -> CrossValidation | None:
    """The test results of the completed folds. None for a job with a single training."""
    if trainings == 1:
        return None
    tests: dict[str, list[float]] = defaultdict(list)
    for fold in range(1, trainings + 1):
        prefix = f"folds/{fold}/"
        for name, point in latest.items():
            if name.startswith(prefix + "test/"):
                tests[name.removeprefix(prefix)].append(point.value)
    spreads = {
        name: Spread(
            mean=float(np.mean(values)), std=float(np.std(values, ddof=1)) if len(values) > 1 else None, values=values
        )
        for name, values in tests.items()
    }
    return CrossValidation(n=trainings, done=len(tests.get("test/loss", [])), series=spreads)


class Mark(NamedTuple):
    """What changes with every news of a job."""

    version: int
    point: int
    """The sequence number of its newest point."""
    event: int
    is_over: bool


def marks(tx: Session, job_ids: Collection[str]) -> dict[str, Mark]:
    """The mark of each job that exists."""
    last_event = select(func.max(Event.seq)).where(Event.job_id == Job.id).scalar_subquery()
    columns = (Job.id, Job.version, Job.last_sequence, last_event, Job.state)
    rows = tx.execute(select(*columns).where(Job.id.in_(job_ids)))
    return {
        job_id: Mark(version, point, event or 0, State(state).is_terminal)
        for job_id, version, point, event, state in rows
    }
