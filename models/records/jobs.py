"""Jobs: every change of a job's state. No other file changes it.

A guard names the state that the caller expects and the attempt that holds the lease, so a stale caller changes no row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from athanor.contract import LEASED, Baseline, Finding, JobError, State, Warned
from models.records import attempts, checkpoints, idempotency, job_views, metrics
from models.records.database import now
from models.records.events import note
from models.records.ids import new_id
from models.records.origins import Origin
from models.records.queue import claimable
from models.records.tables import Attempt, Job, Tag
from models.records.transitions import WISHED, held, lock, move, record
from models.records.transitions import LeaseLost as LeaseLost

MAX_LOSSES = 3
"""A job fails after this number of lost attempts without a new checkpoint."""


class InvalidTransition(Exception):
    """The job's state does not allow the change."""


@dataclass(frozen=True)
class Submission:
    """A job that the API has accepted."""

    key_id: str
    spec: dict[str, Any]
    resolved: dict[str, Any]
    plan: dict[str, Any]
    dataset_id: str
    device: str
    priority: int
    request_sha256: str
    name: str | None = None
    tags: dict[str, str] | None = None
    idempotency_key: str | None = None
    id: str = field(default_factory=lambda: new_id("job"))
    origin: Origin | None = None
    warnings: Sequence[Warned] = ()


@dataclass(frozen=True)
class Claim:
    """A job that a worker has claimed. `origin` is the checkpoint that a fork starts from."""

    job_id: str
    attempt: int
    resolved: dict[str, Any]
    dataset_id: str
    origin: Origin | None = None


def submit(tx: Session, wanted: Submission) -> tuple[str, bool]:
    """T1: nothing → queued. Returns the id and whether it is new. Raises KeyReused."""
    key = wanted.idempotency_key
    if key is not None and (earlier := idempotency.earlier(tx, wanted.key_id, key, wanted.request_sha256)):
        return earlier, False
    job_id, origin = wanted.id, wanted.origin
    tx.execute(
        insert(Job).values(
            id=job_id,
            key_id=wanted.key_id,
            name=wanted.name,
            spec=wanted.spec,
            resolved=wanted.resolved,
            plan=wanted.plan,
            dataset_id=wanted.dataset_id,
            origin=origin.model_dump() if origin else None,
            device=wanted.device,
            priority=wanted.priority,
            idempotency_key=wanted.idempotency_key,
            request_sha256=wanted.request_sha256,
            state=State.QUEUED,
            not_before=0.0,
            created_at=now(),
        )
    )
    for name, value in (wanted.tags or {}).items():
        tx.execute(insert(Tag).values(job_id=job_id, name=name, value=value))
    reason = f"forked from {origin.job_id} at step {origin.step}" if origin else "submitted"
    record(tx, job_id, 0, None, State.QUEUED, reason, "key", wanted.key_id)
    for warned in wanted.warnings:
        note(tx, job_id, 0, "warning", warned.model_dump(exclude_defaults=True))
    return job_id, True


def claim(
    tx: Session,
    worker_id: str,
    devices: list[str],
    lease: float,
    processes: attempts.Processes = (),
) -> Claim | None:
    """T2: the first queued job → starting, as its next attempt. Its series are cut at its newest checkpoint.

    `processes` are those of the waiting trainer. If the lease expires, a reaper on its machine ends them first.
    """
    best = (
        select(Job.id)
        .where(*claimable(devices, worker_id))
        .order_by(Job.priority.desc(), Job.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = tx.execute(
        update(Job)
        .where(Job.id == best, *claimable(devices, worker_id))
        .values(
            state=State.STARTING,
            attempt=Job.attempt + 1,
            lease_owner=worker_id,
            lease_expires_at=now() + lease,
            beat_at=now(),
            started_at=func.coalesce(Job.started_at, now()),
            version=Job.version + 1,
        )
        .returning(Job.id, Job.attempt, Job.resolved, Job.dataset_id, Job.origin)
    ).first()
    if row is None:
        return None
    newest = checkpoints.newest(tx, row.id)
    step = newest.step if newest else 0
    metrics.truncate(tx, row.id, step)
    place = {"step": step, "epoch": newest.epoch if newest else 0.0, "eta_seconds": None}
    # The lease is renewed, since it may take a while to cut long series.
    tx.execute(update(Job).where(Job.id == row.id).values(**place, lease_expires_at=now() + lease))
    tx.execute(
        insert(Attempt).values(
            job_id=row.id,
            attempt=row.attempt,
            worker_id=worker_id,
            processes=attempts.stored(processes) or None,
            start_step=step,
            started_at=now(),
        )
    )
    record(tx, row.id, row.attempt, State.QUEUED, State.STARTING, f"resumes at step {step}" if step else None)
    origin = Origin.model_validate(row.origin) if row.origin else None
    return Claim(row.id, row.attempt, row.resolved, row.dataset_id, origin)


def begin(
    tx: Session,
    job_id: str,
    attempt: int,
    processes: attempts.Processes,
    device: str,
    fingerprint: dict[str, Any],
) -> None:
    """T3: starting → running. A resume in another environment sets `bit_exact` to false.

    `processes` are the trainer's. It may be another trainer than the one that waited at the claim. A repeated call,
    after the answer to the first was lost, changes nothing. Raises LeaseLost.
    """
    running = (Job.id == job_id, Job.attempt == attempt, Job.state == State.RUNNING, Attempt.attempt == attempt)
    begun = tx.scalar(select(Attempt.processes).join(Job, Attempt.job_id == Job.id).where(*running))
    named = attempts.stored(processes)
    if begun is not None and [each["pid"] for each in begun] == [each["pid"] for each in named]:
        return
    changed = attempts.changed(tx, job_id, attempt, fingerprint)
    held(tx, job_id, attempt, (State.STARTING,), State.RUNNING, None, {"bit_exact": False} if changed else {})
    if changed:
        message = f"not bit-exact from here on: the environment changed ({', '.join(changed)})"
        note(tx, job_id, attempt, "warning", {"message": message})
    tx.execute(
        update(Attempt)
        .where(Attempt.job_id == job_id, Attempt.attempt == attempt)
        .values(processes=named, device=device, fingerprint=fingerprint)
    )


def note_baseline(tx: Session, job_id: str, attempt: int, baseline: Baseline) -> None:
    """Write the baseline with which the job's results are compared. Raises LeaseLost."""
    held = update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == State.RUNNING)
    noted = held.values(baseline=baseline.model_dump(), version=Job.version + 1)
    if tx.execute(noted).rowcount == 0:  # type: ignore[attr-defined]
        raise LeaseLost


def note_inexact(tx: Session, job_id: str) -> None:
    """Note that the job's result may differ from that of an uninterrupted job."""
    tx.execute(update(Job).where(Job.id == job_id).values(bit_exact=False, version=Job.version + 1))


def beat(
    tx: Session, job_id: str, attempt: int, lease: float, progress: tuple[int, float, float | None] | None = None
) -> Literal["run", "pause", "cancel"]:
    """T4: renew the lease and write the progress (step, epoch, eta in seconds). Returns the job's `desired`.

    It also locks the row, so only the holder of the lease can write in this transaction. Raises LeaseLost.
    """
    values: dict[str, Any] = {"lease_expires_at": now() + lease, "beat_at": now()}
    if progress is not None:
        values |= dict(zip(("step", "epoch", "eta_seconds"), progress, strict=True)) | {"version": Job.version + 1}
    desired: Literal["run", "pause", "cancel"] | None = tx.scalar(
        update(Job)
        .where(Job.id == job_id, Job.attempt == attempt, Job.state.in_(LEASED))
        .values(**values)
        .returning(Job.desired)
    )
    if desired is None:
        raise LeaseLost
    return desired


def commit_checkpoint(tx: Session, job_id: str, attempt: int, new: checkpoints.New) -> str:
    """T5: add the row of a checkpoint whose files are stored. This counts as progress. Raises LeaseLost."""
    running = update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == State.RUNNING)
    if tx.execute(running.values(no_progress_losses=0, version=Job.version + 1)).rowcount == 0:  # type: ignore[attr-defined]
        raise LeaseLost
    checkpoint_id, is_new = checkpoints.insert_row(tx, job_id, attempt, new)
    # After the row: the end of a lost attempt is not earlier than its last checkpoint.
    tx.execute(update(Job).where(Job.id == job_id).values(beat_at=now()))
    if is_new:
        note(tx, job_id, attempt, "checkpoint", {"id": checkpoint_id, "step": new.step, "reason": new.reason})
    return checkpoint_id


def succeed(tx: Session, job_id: str, attempt: int, findings: Sequence[Finding] = ()) -> None:
    """T6: running → succeeded. Raises LeaseLost."""
    values = {"finished_at": now(), "findings": [each.model_dump(mode="json") for each in findings]}
    held(tx, job_id, attempt, (State.RUNNING,), State.SUCCEEDED, None, values)


def lose(tx: Session, job_id: str, attempt: int, why: str, after: float | None = None) -> None:
    """T7: the trainer died, so the job is queued again; T8 if this has happened too often. Raises LeaseLost.

    `after`: seconds to wait, given if a disk or a database was at fault. Such a loss does not count against the job.
    """
    failed = {"failures": Job.failures + 1}
    for state in LEASED:
        if _lost(tx, job_id, state, why, (Job.attempt == attempt,), failed, "supervisor", after):
            return
    raise LeaseLost


def fail(tx: Session, job_id: str, attempt: int, error: JobError, findings: Sequence[Finding] = ()) -> None:
    """T8: starting or running → failed. Raises LeaseLost."""
    stored = [each.model_dump(mode="json") for each in findings]
    values = {"finished_at": now(), "error": error.model_dump(), "findings": stored}
    held(tx, job_id, attempt, LEASED, State.FAILED, error.code, values)


def release(tx: Session, job_id: str, attempt: int, drained: bool = True, why: str | None = None) -> None:
    """T11, T12, T14: the trainer stopped on request. The job is cancelled, paused or queued, as `desired` says.

    `drained` means that the worker is shutting down. Otherwise the user asked for a stop and may have withdrawn it, or
    the trainer stopped for the reason `why`, which is not a failure. Raises LeaseLost.
    """
    lock(tx, job_id)
    why = why or ("worker drained" if drained else "resumed")
    again = {"preemptions": Job.preemptions + int(drained), "not_before": 0.0, "last_rung_at": None}
    for state in LEASED:
        mine = (Job.attempt == attempt,)
        if _as_desired(tx, job_id, state, None, mine, {}, "supervisor"):
            return
        if move(tx, job_id, state, State.QUEUED, why, again, mine, "supervisor", None if drained else WISHED):
            return
    raise LeaseLost


def reap(tx: Session, until: float | None = None) -> list[str]:
    """T9: queue, pause or cancel the jobs whose lease has expired, as `desired` says. Returns their ids.

    Only leases that expired before `until`, a time of the database's clock, count: the caller knows that the trainers
    of those are gone. Default: now.
    """
    over = Job.lease_expires_at < (now() if until is None else until)
    expired = tx.execute(
        select(Job.id, Job.attempt, Job.state)
        .where(Job.lease_owner.is_not(None), over)
        .order_by(Job.id)  # every sweep uses the same order, so two sweeps cannot deadlock
    ).all()
    lost = {"worker_lost": Job.worker_lost + 1}
    # The UPDATE checks `over` again: the holder may have renewed the lease or finished meanwhile.
    return [
        row.id
        for row in expired
        if _lost(tx, row.id, State(row.state), "worker lost", (Job.attempt == row.attempt, over), lost, "sweep")
    ]


def _as_desired(
    tx: Session,
    job_id: str,
    state: State,
    why: str | None,
    guard: tuple[ColumnElement[bool], ...],
    values: dict[str, Any],
    actor: str,
) -> bool:
    """Cancel or pause the job if the user has asked for it. False otherwise."""
    stopped = values | {"stop_seconds": now() - Job.desired_at}
    ended = stopped | {"finished_at": now()}
    return move(
        tx, job_id, state, State.CANCELLED, why, ended, (*guard, Job.desired == "cancel"), actor, WISHED
    ) or move(tx, job_id, state, State.PAUSED, why, stopped, (*guard, Job.desired == "pause"), actor, WISHED)


def _lost(
    tx: Session,
    job_id: str,
    state: State,
    why: str,
    guard: tuple[ColumnElement[bool], ...],
    values: dict[str, Any],
    actor: str,
    after: float | None = None,
) -> bool:
    """End a lost attempt. The job is cancelled or paused if the user has asked for it, else queued, else failed."""
    lock(tx, job_id)
    if _as_desired(tx, job_id, state, why, guard, values, actor):
        return True
    losses = Job.no_progress_losses + (1 if after is None else 0)
    not_before = now() + (losses if after is None else after)
    again = values | {"no_progress_losses": losses, "not_before": not_before, "last_rung_at": None}
    if move(tx, job_id, state, State.QUEUED, why, again, (*guard, losses < MAX_LOSSES), actor):
        return True
    error = JobError(
        code="exhausted",
        message=f"lost {MAX_LOSSES} times without reaching a new checkpoint; the last time: {why}. "
        "See the job's log; a smaller checkpoints.every_steps may get it further",
        retryable=True,
    )
    given_up = values | {"no_progress_losses": losses, "finished_at": now(), "error": error.model_dump()}
    return move(tx, job_id, state, State.FAILED, "exhausted", given_up, (*guard, losses >= MAX_LOSSES), actor)


def cancel(tx: Session, job_id: str, by: str | None = None) -> None:
    """T10 at once, or a request that T11 carries out. Raises InvalidTransition if the job has ended otherwise."""
    lock(tx, job_id)
    for state in (State.QUEUED, State.PAUSED):
        values = {"desired": "cancel", "desired_at": now(), "stop_seconds": 0.0, "finished_at": now()}
        if move(tx, job_id, state, State.CANCELLED, "cancelled", values | {"desired_by": by}, (), "key", by):
            return
    if not _request(tx, job_id, "cancel", LEASED, by) and job_views.state(tx, job_id) != State.CANCELLED:
        raise _invalid(tx, job_id, "cancelled")


def pause(tx: Session, job_id: str, by: str | None = None) -> None:
    """T13 at once, or a request that T12 carries out. Raises InvalidTransition if it has ended or is being stopped."""
    lock(tx, job_id)
    values = {"desired": "pause", "desired_at": now(), "desired_by": by, "stop_seconds": 0.0}
    if move(tx, job_id, State.QUEUED, State.PAUSED, "paused", values, (), "key", by):
        return
    if not _request(tx, job_id, "pause", LEASED, by) and job_views.state(tx, job_id) != State.PAUSED:
        raise _invalid(tx, job_id, "paused")


def resume(tx: Session, job_id: str, by: str | None = None) -> None:
    """T13: paused → queued, or withdraw a requested pause. Raises InvalidTransition if the job has ended."""
    lock(tx, job_id)
    values = {"desired": "run", "desired_at": None, "desired_by": by, "stop_seconds": None, "not_before": 0.0}
    values |= {"last_rung_at": None}
    if move(tx, job_id, State.PAUSED, State.QUEUED, "resumed", values, (), "key", by):
        return
    if not _request(tx, job_id, "run", (*LEASED, State.QUEUED), by):
        raise _invalid(tx, job_id, "resumed")


def _request(tx: Session, job_id: str, desired: str, states: Collection[State], by: str | None) -> bool:
    """Write the user's request into a job that a worker holds. A cancellation cannot be withdrawn."""
    guard = [Job.id == job_id, Job.state.in_(states)]
    if desired != "cancel":
        guard.append(Job.desired != "cancel")
    # A repeated request keeps the time and the key of the first.
    since = case((Job.desired == desired, Job.desired_at), else_=None if desired == "run" else now())
    who = case((Job.desired == desired, Job.desired_by), else_=by)
    requested = (
        update(Job).where(*guard).values(desired=desired, desired_at=since, desired_by=who, version=Job.version + 1)
    )
    done = tx.execute(requested)
    return bool(done.rowcount)  # type: ignore[attr-defined]


def remove(tx: Session, job_id: str) -> None:
    """Delete an ended job with all its rows, if it exists. Raises InvalidTransition if it has not ended."""
    ended = Job.state.in_((State.SUCCEEDED, State.FAILED, State.CANCELLED))
    tx.execute(delete(Job).where(Job.id == job_id, ended))
    if (state := job_views.state(tx, job_id)) is not None:
        raise InvalidTransition(f"the job is {state}; cancel it first")


def _invalid(tx: Session, job_id: str, change: str) -> InvalidTransition:
    state = job_views.state(tx, job_id)
    return InvalidTransition(f"the job is {'being cancelled' if state in LEASED else state} and cannot be {change}")
