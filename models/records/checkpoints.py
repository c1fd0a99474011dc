"""Checkpoints: a checkpoint exists if and only if its row does. Its files are stored before the row is written."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from athanor import contract
from athanor.contract import CheckpointFile
from athanor.files import WEIGHTS
from models.records import pages
from models.records.database import now
from models.records.ids import new_id
from models.records.tables import Checkpoint
from models.records.times import rfc3339


@dataclass(frozen=True)
class New:
    """A checkpoint that has no row yet. Its files are in the store under `prefix`/name."""

    step: int
    epoch: float
    reason: str
    score: float | None
    prefix: str
    files: list[CheckpointFile]
    member: int | None = None
    """The number of the training, from 1, if the job has several, such as folds."""


@dataclass(frozen=True)
class Stored:
    id: str
    step: int
    epoch: float
    score: float | None
    prefix: str
    files: list[CheckpointFile]
    member: int | None = None

    def key(self, name: str) -> str:
        """Where the store keeps the file called `name`."""
        return f"{self.prefix}/{name}"

    def file(self, name: str) -> CheckpointFile:
        return next(file for file in self.files if file.name == name)


def insert_row(tx: Session, job_id: str, attempt: int, new: New) -> tuple[str, bool]:
    """Insert the row of a checkpoint. Returns its id, and whether the row is new.

    A repeated call, after the answer to the first was lost, inserts nothing. A corrupt checkpoint of the same member
    and step is replaced.
    """
    same = select(Checkpoint.id).where(*_committed(job_id), Checkpoint.prefix == new.prefix)
    if known := tx.scalar(same):
        return known, False
    member = new.member or 0
    place = (Checkpoint.job_id == job_id, Checkpoint.member == member, Checkpoint.step == new.step)
    tx.execute(delete(Checkpoint).where(*place, Checkpoint.status != "committed"))
    checkpoint_id = new_id("ckpt")
    tx.execute(
        insert(Checkpoint).values(
            id=checkpoint_id,
            job_id=job_id,
            step=new.step,
            epoch=new.epoch,
            member=member,
            attempt=attempt,
            reason=new.reason,
            score=new.score,
            prefix=new.prefix,
            files=[file.model_dump() for file in new.files],
            created_at=now(),
        )
    )
    return checkpoint_id, True


def _committed(job_id: str) -> tuple[ColumnElement[bool], ...]:
    return (Checkpoint.job_id == job_id, Checkpoint.status == "committed")


def _of(job_id: str, member: int | None) -> tuple[ColumnElement[bool], ...]:
    return _committed(job_id) if member is None else (*_committed(job_id), Checkpoint.member == member)


def newest(tx: Session, job_id: str, member: int | None = None) -> Stored | None:
    """The committed checkpoint with the highest step, from which a job resumes. `member` None: of all members."""
    latest = select(Checkpoint).where(*_of(job_id, member)).order_by(Checkpoint.step.desc(), Checkpoint.member.desc())
    row = tx.scalar(latest.limit(1))
    return _stored(row) if row else None


def best(tx: Session, job_id: str, mode: Literal["min", "max"], member: int | None = None) -> Stored | None:
    """The committed checkpoint with the best score, or the newest if none has a score. `member` None: of all members.

    The earliest of several with the best score is used.
    """
    score = Checkpoint.score if mode == "min" else Checkpoint.score * -1
    scored = select(Checkpoint).where(*_of(job_id, member), Checkpoint.score.is_not(None))
    row = tx.scalar(scored.order_by(score, Checkpoint.step, Checkpoint.member).limit(1))
    return _stored(row) if row else newest(tx, job_id, member)


def by_id(tx: Session, job_id: str, checkpoint_id: str) -> Stored | None:
    row = tx.scalar(select(Checkpoint).where(*_committed(job_id), Checkpoint.id == checkpoint_id))
    return _stored(row) if row else None


def page(tx: Session, job_id: str, after: str | None, limit: int) -> tuple[list[contract.Checkpoint], bool]:
    """Committed checkpoints, ordered by step and member, and whether more follow.

    If `after` was deleted, the page continues by id.
    """
    place = (Checkpoint.step, Checkpoint.member)
    query = select(Checkpoint).where(*_committed(job_id)).order_by(*place)
    if after is not None:
        last = tx.execute(select(*place).where(Checkpoint.job_id == job_id, Checkpoint.id == after)).first()
        query = query.where(Checkpoint.id > after if last is None else tuple_(*place) > tuple_(*last))
    rows, more = pages.cut(list(tx.scalars(query.limit(limit + 1))), limit)
    return [_answer(row) for row in rows], more


def answer(tx: Session, checkpoint_id: str) -> contract.Checkpoint:
    return _answer(tx.scalars(select(Checkpoint).where(Checkpoint.id == checkpoint_id)).one())


def retire(tx: Session, job_id: str, keep_last: int, keep_best: int, mode: Literal["min", "max"]) -> list[Stored]:
    """Mark the checkpoints that the policy does not keep as `deleting`. Returns all checkpoints with this status.

    The policy applies to each member separately.
    """
    rows = list(tx.scalars(select(Checkpoint).where(*_committed(job_id)).order_by(Checkpoint.step.desc())))
    sign = 1 if mode == "min" else -1
    kept: set[str] = set()
    for member in {row.member for row in rows}:
        ours = [row for row in rows if row.member == member]
        scored = sorted((sign * row.score, row.step, row.id) for row in ours if row.score is not None)
        kept |= {*(row.id for row in ours[:keep_last]), *(best_id for _, _, best_id in scored[:keep_best])}
    gone = [row.id for row in rows if row.id not in kept]
    if gone:
        tx.execute(update(Checkpoint).where(Checkpoint.id.in_(gone)).values(status="deleting"))
    leaving = select(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.status == "deleting")
    return [_stored(row) for row in tx.scalars(leaving.execution_options(populate_existing=True))]


def forget(tx: Session, checkpoint_id: str) -> None:
    """Delete the row of a checkpoint whose files are deleted."""
    tx.execute(delete(Checkpoint).where(Checkpoint.id == checkpoint_id, Checkpoint.status == "deleting"))


def mark_corrupt(tx: Session, checkpoint_id: str) -> None:
    """Mark a checkpoint whose files do not match their digests, so that it is not used again."""
    tx.execute(update(Checkpoint).where(Checkpoint.id == checkpoint_id).values(status="corrupt"))


def prefixes(tx: Session, job_id: str) -> set[str]:
    """The store's prefixes of all checkpoints of a job."""
    return set(tx.scalars(select(Checkpoint.prefix).where(Checkpoint.job_id == job_id)))


def _stored(row: Checkpoint) -> Stored:
    files = [CheckpointFile.model_validate(file) for file in row.files]
    return Stored(row.id, row.step, row.epoch, row.score, row.prefix, files, row.member or None)


def _answer(row: Checkpoint) -> contract.Checkpoint:
    stored = _stored(row)
    return contract.Checkpoint(
        id=row.id,
        job_id=row.job_id,
        step=row.step,
        epoch=row.epoch,
        fold=stored.member,
        attempt=row.attempt,
        reason=row.reason,
        score=row.score,
        bytes=sum(file.bytes for file in stored.files),
        sha256=stored.file(WEIGHTS).sha256,
        created_at=rfc3339(row.created_at),
        files=stored.files,
    )
