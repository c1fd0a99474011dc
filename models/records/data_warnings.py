"""Warnings of jobs about their data: events that have a code."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from athanor.contract import State, Warned
from models.records.events import note
from models.records.tables import Event, Job
from models.records.transitions import LeaseLost

_KIND = "warning"


def add(tx: Session, job_id: str, attempt: int, warnings: Sequence[Warned]) -> None:
    """Append those that the job does not have yet: a later attempt finds the same. Raises LeaseLost."""
    held = update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == State.RUNNING)
    if tx.execute(held.values(version=Job.version + 1)).rowcount == 0:  # type: ignore[attr-defined]
        raise LeaseLost
    known = of_jobs(tx, [job_id]).get(job_id, [])
    for warned in warnings:
        if warned not in known:
            note(tx, job_id, attempt, _KIND, warned.model_dump(exclude_defaults=True))


def of_jobs(tx: Session, job_ids: Collection[str]) -> dict[str, list[Warned]]:
    """The warnings of each job, in order. Those without a code, such as of damaged files, are events alone."""
    found: dict[str, list[Warned]] = defaultdict(list)
    for row in tx.scalars(select(Event).where(Event.job_id.in_(job_ids), Event.kind == _KIND).order_by(Event.seq)):
        if "code" in row.data:
            found[row.job_id].append(Warned.model_validate(row.data))
    return found
