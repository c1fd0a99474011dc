"""References: which stored files a row names."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.records.tables import Checkpoint, Dataset, Job, Key


def blobs(tx: Session, among: Collection[str]) -> set[str]:
    """The keys in `among` that hold the rows of a dataset."""
    return set(tx.scalars(select(Dataset.blob).where(Dataset.blob.in_(among))))


def jobs(tx: Session, among: Collection[str]) -> set[str]:
    """The ids in `among` that are ids of jobs."""
    return set(tx.scalars(select(Job.id).where(Job.id.in_(among))))


def checkpoints(tx: Session, job_ids: Collection[str]) -> set[str]:
    """The prefixes of all checkpoints of these jobs, whatever their status."""
    return set(tx.scalars(select(Checkpoint.prefix).where(Checkpoint.job_id.in_(job_ids))))


def since(tx: Session) -> float | None:
    """The time of the first key, in seconds since 1970: nothing in this database is older. None if there is no key."""
    return tx.scalar(select(func.min(Key.created_at)))
