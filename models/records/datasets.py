"""Datasets. Equal bytes that are read in the same way share one row. A dataset that a job uses cannot be deleted."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from athanor import contract
from athanor.contract import Schema, Warned
from models.records import pages
from models.records.database import now
from models.records.ids import born
from models.records.tables import Dataset, Job
from models.records.times import rfc3339

BUILT_IN = "built-in"
"""The format of a built-in dataset. The service can make its rows again."""

DAMAGED = "damaged"
"""The value of `blob_sha256` if the stored rows are damaged."""


class InUse(Exception):
    """A job uses this dataset; the message is the job's id."""


@dataclass(frozen=True)
class Blob:
    """The store's key of a dataset's rows, and their SHA-256. Datasets of older versions have no SHA-256."""

    key: str
    sha256: str | None


@dataclass(frozen=True)
class New:
    """A dataset that has no row yet. Its rows are in the store as `blob`."""

    id: str
    name: str
    format: str
    rows: int
    bytes: int
    sha256: str
    identity: str
    """A digest of the bytes, and of everything else that decides how they are read."""
    dialect: dict[str, Any]
    schema: Schema
    warnings: list[Warned]
    blob: Blob


def add(tx: Session, new: New) -> str:
    """Insert the row. Returns its id. Raises sqlalchemy.exc.IntegrityError if the same bytes were just added."""
    tx.execute(
        insert(Dataset).values(
            id=new.id,
            name=new.name,
            format=new.format,
            rows=new.rows,
            bytes=new.bytes,
            sha256=new.sha256,
            identity=new.identity,
            dialect=new.dialect,
            schema=new.schema.model_dump(mode="json"),
            warnings=[warning.model_dump() for warning in new.warnings],
            blob=new.blob.key,
            blob_sha256=new.blob.sha256,
            created_at=now(),
        )
    )
    return new.id


def get(tx: Session, dataset_id: str) -> contract.Dataset | None:
    row = tx.scalar(select(Dataset).where(Dataset.id == dataset_id))
    return _answer(row) if row else None


def is_empty(tx: Session) -> bool:
    return tx.scalar(select(Dataset.id).limit(1)) is None


def blob_of(tx: Session, dataset_id: str) -> Blob:
    """Raises sqlalchemy.exc.NoResultFound for an unknown id."""
    row = tx.execute(select(Dataset.blob, Dataset.blob_sha256).where(Dataset.id == dataset_id)).one()
    return Blob(row.blob, row.blob_sha256)


def replace_blob(tx: Session, dataset_id: str, new: Blob) -> Blob:
    """Replace the stored file of a dataset. Returns the old one. Raises sqlalchemy.exc.NoResultFound."""
    old = blob_of(tx, dataset_id)
    tx.execute(update(Dataset).where(Dataset.id == dataset_id).values(blob=new.key, blob_sha256=new.sha256))
    return old


def mark_damaged(tx: Session, dataset_id: str, key: str) -> None:
    """Mark the rows of a built-in dataset under `key` as damaged, so that the API makes them again.

    An upload is not marked: the disk error may be temporary, and only a new upload can replace the rows.
    """
    this = update(Dataset).where(Dataset.id == dataset_id, Dataset.blob == key, Dataset.format == BUILT_IN)
    tx.execute(this.values(blob_sha256=DAMAGED))


def identical(tx: Session, identity: str, formats: Collection[str]) -> contract.Dataset | None:
    """The dataset of an upload with the same bytes that was read in the same way, in one of these formats."""
    row = tx.scalar(select(Dataset).where(Dataset.identity == identity, Dataset.format.in_(formats)).limit(1))
    return _answer(row) if row else None


def page(tx: Session, after: str | None, limit: int) -> tuple[list[contract.Dataset], bool]:
    """Newest first, and whether more follow."""
    query = select(Dataset).order_by(Dataset.created_at.desc(), Dataset.id.desc())
    if after is not None:
        # Ordered by time and id: the id of a built-in dataset is its name, which does not sort by age.
        before = tx.scalar(select(Dataset.created_at).where(Dataset.id == after))
        # If `after` was deleted meanwhile, its id still contains its creation time.
        query = query.where(tuple_(Dataset.created_at, Dataset.id) < (before or born(after) / 1000, after))
    rows, more = pages.fitting(tx, query, limit, Dataset.schema, Dataset.warnings)
    return [_answer(row) for row in rows], more


def exists(tx: Session, dataset_id: str) -> bool:
    return tx.scalar(select(Dataset.id).where(Dataset.id == dataset_id)) is not None


def remove(tx: Session, dataset_id: str) -> Blob:
    """Delete the row. Returns its stored file. Raises InUse, NoResultFound."""
    blob = blob_of(tx, dataset_id)
    used = tx.scalar(select(Job.id).where(Job.dataset_id == dataset_id).limit(1))
    if used is not None:
        raise InUse(used)
    try:
        tx.execute(delete(Dataset).where(Dataset.id == dataset_id))
    except IntegrityError as error:
        raise InUse("a job submitted just now") from error
    return blob


def _answer(row: Dataset) -> contract.Dataset:
    return contract.Dataset(
        id=row.id,
        name=row.name,
        format=row.format,
        rows=row.rows,
        bytes=row.bytes,
        sha256=row.sha256,
        created_at=rfc3339(row.created_at),
        dialect=row.dialect or {},
        schema_=Schema.model_validate(row.schema),
        warnings=[Warned.model_validate(warning) for warning in row.warnings],
    )
