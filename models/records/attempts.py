"""Attempts: a worker's attempts to run a job."""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from models.records.tables import Attempt

Processes = Sequence[tuple[int, float | None]]
"""(process id, start time in a unit of the machine) of each process of an attempt. None or NaN: unknown."""


def stored(processes: Processes) -> list[dict[str, Any]]:
    """The JSON value of `attempts.processes`. An unknown start time is None."""
    known = [(pid, None if started is None or math.isnan(started) else started) for pid, started in processes]
    return [{"pid": pid, "started": started} for pid, started in known]


def seconds_spent(tx: Session, job_id: str) -> float:
    """Seconds of all ended attempts of a job. Time in the queue, while paused or without power does not count."""
    spent = select(func.sum(Attempt.ended_at - Attempt.started_at)).where(Attempt.job_id == job_id)
    return tx.scalar(spent) or 0.0


def fingerprint(tx: Session, job_id: str, attempt: int) -> dict[str, Any] | None:
    """The environment of an attempt's trainer; None if the trainer did not report it."""
    return tx.scalar(select(Attempt.fingerprint).where(Attempt.job_id == job_id, Attempt.attempt == attempt))


def threads(tx: Session, job_ids: Sequence[str]) -> dict[str, int]:
    """By job: the threads with which its trainer computes, as its last attempt reported them."""
    found = select(Attempt.job_id, Attempt.fingerprint["threads"].as_integer()).where(
        Attempt.job_id.in_(job_ids), Attempt.fingerprint.is_not(None)
    )
    return {job_id: number for job_id, number in tx.execute(found.order_by(Attempt.attempt)) if number is not None}


def settle_threads(tx: Session, job_id: str, attempt: int, threads: int) -> None:
    """Write the number of threads that an attempt has found. The caller holds the lease (see jobs.beat)."""
    here = (Attempt.job_id == job_id, Attempt.attempt == attempt)
    known = tx.scalar(select(Attempt.fingerprint).where(*here)) or {}
    tx.execute(update(Attempt).where(*here).values(fingerprint=known | {"threads": threads}))


def changed(tx: Session, job_id: str, attempt: int, fingerprint: dict[str, Any]) -> list[str]:
    """Names of the entries that differ from the last fingerprint of the job. Empty if this attempt starts at step 0."""
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
