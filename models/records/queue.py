"""The queue is the jobs table: which jobs may be claimed, which need a ring, and which have a dead worker."""

import math
from collections.abc import Callable, Container

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session

from athanor.contract import State
from models.records.database import now
from models.records.tables import Attempt, Job, Worker

EVERY_DEVICE = ["auto", "cpu", "cuda"]

UNKNOWN_PART = "unknown_part"
"""The start of the outcome of an attempt whose worker does not know a part of the spec."""

UNKNOWN_PART_REST = 300.0
"""Seconds before that worker tries the job again; other workers may claim it at once."""


def served(kinds: Container[str]) -> list[str]:
    """The values of `resources.device` that may run on devices of these kinds."""
    return ["auto", "cuda", "cpu"] if "cuda" in kinds else ["auto", "cpu"]


def claimable(devices: list[str], worker_id: str | None = None) -> tuple[ColumnElement[bool], ...]:
    """The condition under which a worker that serves `devices` may take a job."""
    waits = (Job.state == State.QUEUED, Job.desired == "run", Job.not_before <= now(), Job.device.in_(devices))
    if worker_id is None:
        return waits
    gave_back = exists().where(
        Attempt.job_id == Job.id,
        Attempt.worker_id == worker_id,
        Attempt.outcome.startswith(UNKNOWN_PART, autoescape=True),
        Attempt.ended_at > now() - UNKNOWN_PART_REST,
    )
    return (*waits, ~gave_back.correlate(Job))


def is_empty(tx: Session, devices: list[str], worker_id: str | None = None) -> bool:
    """Whether there is nothing to claim. It only reads, so an idle worker never blocks writers."""
    return tx.execute(select(Job.id).where(*claimable(devices, worker_id)).limit(1)).first() is None


def to_ring(tx: Session, age: float, limit: int) -> list[str]:
    """The first `limit` queued jobs that were not rung for in the last `age` seconds. Marks them as rung for now."""
    due = or_(Job.last_rung_at.is_(None), Job.last_rung_at < now() - age)
    # A common table expression is evaluated once. PostgreSQL may evaluate a subquery for each row. Each evaluation
    # would apply the limit again and skip the rows that an earlier one has locked.
    first = (
        select(Job.id)
        .where(*claimable(EVERY_DEVICE), due)
        .order_by(Job.priority.desc(), Job.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("first")
    )
    rung = update(Job).where(Job.id.in_(select(first.c.id))).values(last_rung_at=now())
    return list(tx.scalars(rung.returning(Job.id)))


def mark_rung(tx: Session, job_id: str) -> None:
    tx.execute(update(Job).where(Job.id == job_id, Job.state == State.QUEUED).values(last_rung_at=now()))


def mark_unheard(tx: Session, job_id: str) -> None:
    """Let the next sweep ring for a job again, because the worker that got the ring could not take it."""
    tx.execute(update(Job).where(Job.id == job_id, Job.state == State.QUEUED).values(last_rung_at=None))


def time(tx: Session) -> float:
    """The database's clock, which decides when leases expire. Seconds since 1970."""
    return tx.scalars(select(now())).one()


def expire_dead(tx: Session, machine: str, started: Callable[[int], float | None]) -> None:
    """Set the state of this machine's workers to "gone" if their process is gone, and end their leases at once.

    `started` returns the start time of a process id, in the unit of `workers.enlist`: None if there is no such process,
    NaN if the time cannot be read; such a lease expires by itself.
    """

    def is_gone(pid: int, pid_started: float) -> bool:
        began = started(pid)
        return began is None or not (began == pid_started or math.isnan(began))

    ours = select(Worker.id, Worker.pid, Worker.pid_started).where(Worker.machine == machine, Worker.state != "gone")
    for worker in tx.execute(ours.order_by(Worker.id)).all():
        if is_gone(worker.pid, worker.pid_started):
            tx.execute(update(Worker).where(Worker.id == worker.id).values(state="gone"))
    held = tx.execute(
        select(Job.id, Job.attempt, Worker.pid, Worker.pid_started)
        .join(Worker, Worker.id == Job.lease_owner)
        .where(Worker.machine == machine)
        .order_by(Job.id)  # the same order as in `jobs.reap`, so two sweeps cannot deadlock
    ).all()
    for row in held:
        if is_gone(row.pid, row.pid_started):
            tx.execute(
                update(Job)
                .where(Job.id == row.id, Job.attempt == row.attempt, Job.lease_owner.is_not(None))
                .values(lease_expires_at=0.0)
            )


def overdue(tx: Session, machine: str) -> list[tuple[int, float]]:
    """(pid, start time) of this machine's training processes whose lease has expired. They are killed before the reap.

    Processes without a known start time are left out: another process may have the same number by now.
    """
    rows = tx.scalars(
        select(Attempt.processes)
        .join(Job, (Job.id == Attempt.job_id) & (Job.attempt == Attempt.attempt))
        .join(Worker, Worker.id == Job.lease_owner)
        .where(Worker.machine == machine, Job.lease_expires_at < now(), Attempt.processes.is_not(None))
    )
    named = [each for processes in rows for each in processes or []]
    return [(each["pid"], each["started"]) for each in named if each["started"] is not None]


def held(tx: Session) -> list[tuple[str, int]]:
    """(job id, attempt) of every lease."""
    rows = tx.execute(select(Job.id, Job.attempt).where(Job.lease_owner.is_not(None)))
    return [(row.id, row.attempt) for row in rows]
