"""Attempts: each worker's try at a job."""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.records.tables import Attempt

Processes = Sequence[tuple[int, float | None]]
"""(process id, start time in the unit of its machine) of each process of an attempt; None or NaN where not known."""


def stored(processes: Processes) -> list[dict[str, Any]]:
    """The processes as the row of an attempt stores them."""
    known = [(pid, None if started is None or math.isnan(started) else started) for pid, started in processes]
    return [{"pid": pid, "started": started} for pid, started in known]


def seconds_spent(tx: Session, job_id: str) -> float:
    """Seconds of all ended attempts. Time in the queue, paused, or without power does not count."""
    spent = select(func.sum(Attempt.ended_at - Attempt.started_at)).where(Attempt.job_id == job_id)
    return tx.scalar(spent) or 0.0


def fingerprint(tx: Session, job_id: str, attempt: int) -> dict[str, Any] | None:
    """The machine and the libraries of the trainer of an attempt."""
    return tx.scalar(select(Attempt.fingerprint).where(Attempt.job_id == job_id, Attempt.attempt == attempt))


def changed(tx: Session, job_id: str, attempt: int, fingerprint: dict[str, Any]) -> list[str]:
    """The names of what differs from the environment of the last attempt that began; none if this one starts anew."""
    resumed = tx.scalar(select(Attempt.start_step).where(Attempt.job_id == job_id, Attempt.attempt == attempt))
    before = tx.scalar(
        select(Attempt.fingerprint)
        .where(Attempt.job_id == job_id, Attempt.attempt < attempt, Attempt.fingerprint.is_not(None))
        .order_by(Attempt.attempt.desc())
        .limit(1)
    )
    if not resumed or before is None:
        return []
    return sorted(name for name in before | fingerprint if before.get(name) != fingerprint.get(name))
