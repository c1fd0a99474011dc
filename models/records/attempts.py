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
    """As a row holds them."""
    known = [(pid, None if started is None or math.isnan(started) else started) for pid, started in processes]
    return [{"pid": pid, "started": started} for pid, started in known]


def seconds_spent(tx: Session, job_id: str) -> float:
    """Time that ended attempts took: waiting and pausing cost a job nothing, nor does a time without power."""
    spent = select(func.sum(Attempt.ended_at - Attempt.started_at)).where(Attempt.job_id == job_id)
    return tx.scalar(spent) or 0.0


def fingerprint(tx: Session, job_id: str, attempt: int) -> dict[str, Any] | None:
    """What the trainer of that attempt said of its machine and libraries."""
    return tx.scalar(select(Attempt.fingerprint).where(Attempt.job_id == job_id, Attempt.attempt == attempt))


def changed(tx: Session, job_id: str, attempt: int, fingerprint: dict[str, Any]) -> list[str]:
    """What of the environment is other than at the last attempt that began; nothing where this one starts anew."""
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
