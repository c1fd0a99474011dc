"""Attempts: each worker's try at a job."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.records.tables import Attempt


def seconds_spent(tx: Session, job_id: str) -> float:
    """Time that ended attempts took: waiting and pausing cost a job nothing, nor does a time without power."""
    spent = select(func.sum(Attempt.ended_at - Attempt.started_at)).where(Attempt.job_id == job_id)
    return tx.scalar(spent) or 0.0


def fingerprint(tx: Session, job_id: str, attempt: int) -> dict[str, Any] | None:
    """What the trainer of that attempt said of its machine and libraries."""
    return tx.scalar(select(Attempt.fingerprint).where(Attempt.job_id == job_id, Attempt.attempt == attempt))
