"""Transitions: a guarded UPDATE of a job's state, with its event. jobs.py lists the transitions."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from athanor.contract import LEASED, State
from models.records.database import now
from models.records.events import note
from models.records.tables import Attempt, Job, Key

WISHED = "the key in desired_by"
"""A placeholder for the key that the row names in `desired_by`."""


class LeaseLost(Exception):
    """This attempt no longer holds the job: another has it, or it has ended. Write nothing more, stop the trainer."""


def lock(tx: Session, job_id: str) -> None:
    """Lock the row before several UPDATEs. Otherwise a request that is committed between two of them would be lost."""
    tx.execute(select(Job.id).where(Job.id == job_id).with_for_update())


def held(
    tx: Session,
    job_id: str,
    attempt: int,
    from_: Collection[State],
    to: State,
    reason: str | None,
    values: dict[str, Any],
) -> None:
    """A transition by the holder of the lease. Raises LeaseLost."""
    for state in from_:
        if move(tx, job_id, state, to, reason, values, (Job.attempt == attempt,), "supervisor"):
            return
    raise LeaseLost


def move(
    tx: Session,
    job_id: str,
    from_: State,
    to: State,
    reason: str | None,
    values: dict[str, Any],
    guard: tuple[ColumnElement[bool], ...],
    actor: str,
    by: str | None = None,
) -> bool:
    """Run the UPDATE of a transition and write its event. False if the guard did not hold.

    `by` is the id of the key that asks for it, or WISHED for the key in `desired_by`.
    """
    if to not in LEASED:
        values = values | {"lease_owner": None, "lease_expires_at": None, "eta_seconds": None}
    moved = tx.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == from_, *guard)
        .values(state=to, version=Job.version + 1, **values)
        .returning(Job.attempt, Job.beat_at, Job.desired_by)
    ).first()
    if moved is None:
        return False
    if to not in LEASED:
        # A lost attempt ends at its last heartbeat, however late the loss is noticed.
        end = moved.beat_at if actor == "sweep" and moved.beat_at is not None else now()
        closed = update(Attempt).where(Attempt.job_id == job_id, Attempt.attempt == moved.attempt)
        tx.execute(closed.where(Attempt.ended_at.is_(None)).values(ended_at=end, outcome=reason or to))
    record(tx, job_id, moved.attempt, from_, to, reason, actor, moved.desired_by if by is WISHED else by)
    return True


def record(
    tx: Session,
    job_id: str,
    attempt: int,
    from_: State | None,
    to: State,
    reason: str | None,
    actor: str = "worker",
    by: str | None = None,
) -> None:
    """Write the event of a transition, with the id and the name of the key that asked for it, if any."""
    data = {"from": from_, "to": to, "reason": reason, "actor": actor}
    if by is not None:
        data |= {"key_id": by, "by": tx.scalar(select(Key.name).where(Key.id == by))}
    note(tx, job_id, attempt, "state", data)
