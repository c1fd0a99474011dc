"""Files in the database, as numbered pieces."""

from collections.abc import Iterator

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from models.records.tables import Blob

PIECE = 2**20
"""Bytes of every piece but the last."""


def write(tx: Session, key: str, pieces: Iterator[bytes]) -> None:
    """Store pieces of PIECE bytes each."""
    for number, data in enumerate(pieces):
        tx.execute(insert(Blob).values(key=key, number=number, data=data))


def read_piece(tx: Session, key: str, number: int) -> bytes | None:
    return tx.scalar(select(Blob.data).where(Blob.key == key, Blob.number == number))


def size(tx: Session, key: str) -> int | None:
    """The size of a file in bytes, or None if there is none."""
    total = tx.scalar(select(func.sum(func.length(Blob.data))).where(Blob.key == key))
    return None if total is None else int(total)


def keys(tx: Session, prefix: str) -> list[str]:
    """The keys of all files below `prefix`."""
    return list(tx.scalars(select(Blob.key).where(Blob.key.startswith(prefix + "/", autoescape=True)).distinct()))


def remove(tx: Session, prefix: str) -> None:
    """Delete the file called `prefix` and every file below it."""
    # autoescape: an underscore in an id must not act as a wildcard.
    tx.execute(delete(Blob).where((Blob.key == prefix) | Blob.key.startswith(prefix + "/", autoescape=True)))
