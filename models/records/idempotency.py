"""Idempotency: requests that are repeated with the same Idempotency-Key."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.records.tables import Job


class KeyReused(Exception):
    """The Idempotency-Key was used before with another body."""


def earlier(tx: Session, key_id: str, idempotency_key: str, request_sha256: str) -> str | None:
    """The id of the job that an equal request made before, or None. Raises KeyReused if the earlier body differs."""
    same = select(Job.id, Job.request_sha256).where(Job.key_id == key_id, Job.idempotency_key == idempotency_key)
    found = tx.execute(same).first()
    if found is None:
        return None
    if found.request_sha256 != request_sha256:
        raise KeyReused
    job_id: str = found.id
    return job_id
