"""Events of a job, in order: state changes, checkpoints, warnings and log lines."""

from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from athanor import contract
from models.records.database import now
from models.records.tables import Event
from models.records.times import rfc3339


def note(tx: Session, job_id: str, attempt: int, kind: str, data: dict[str, Any]) -> None:
    """Append an event."""
    tx.execute(insert(Event).values(job_id=job_id, attempt=attempt, at=now(), kind=kind, data=data))


def since(tx: Session, job_id: str, after: int, limit: int) -> list[contract.Event]:
    """The first `limit` events of a job after the sequence number `after`."""
    rows = tx.scalars(select(Event).where(Event.job_id == job_id, Event.seq > after).order_by(Event.seq).limit(limit))
    return [
        contract.Event(
            seq=row.seq,
            job_id=row.job_id,
            attempt=row.attempt,
            at=rfc3339(row.at),
            kind=row.kind,
            data=row.data,
        )
        for row in rows
    ]


def log_lines(tx: Session, job_id: str) -> list[str]:
    """The log lines of all attempts of a job, in order."""
    rows = tx.scalars(select(Event.data).where(Event.job_id == job_id, Event.kind == "log").order_by(Event.seq))
    return [data["line"] for data in rows]


def count(tx: Session, job_id: str, kind: str) -> int:
    return tx.scalar(select(func.count()).where(Event.job_id == job_id, Event.kind == kind)) or 0
