"""Requests that come again under their Idempotency-Key."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.records.tables import Job


class KeyReused(Exception):
    """This Idempotency-Key came with another body before."""


def earlier(tx: Session, key_id: str, idempotency_key: str, request_sha256: str) -> str | None:
    """The id of the job that the same request made before, or None. Raises KeyReused where it was another request."""
    same = select(Job.id, Job.request_sha256).where(Job.key_id == key_id, Job.idempotency_key == idempotency_key)
    found = tx.execute(same).first()
    if found is None:
        return None
    if found.request_sha256 != request_sha256:
        raise KeyReused
    job_id: str = found.id
    return job_id
