"""API keys: ``ath_<public id>_<secret>``. The table holds a digest of the secret."""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from models.records.database import now
from models.records.tables import Key


@dataclass(frozen=True)
class Caller:
    """The owner of the API key of a request."""

    key_id: str
    name: str


def create(tx: Session, name: str) -> str:
    """Make a key and return it; only its digest is kept. Unlike a password, 256 random bits need no slow digest."""
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    tx.execute(insert(Key).values(id=key_id, name=name, sha256=_digest(secret), created_at=now()))
    return f"ath_{key_id}_{secret}"


def find(tx: Session, presented: str) -> Caller | None:
    """The caller to whom a key belongs, or None. A wrong secret takes as long as a right one."""
    if not (presented.isascii() and presented.isprintable()):
        return None  # not one of our keys; PostgreSQL rejects some of these characters
    prefix, _, rest = presented.partition("_")
    key_id, _, secret = rest.partition("_")
    row = tx.execute(select(Key.name, Key.sha256).where(Key.id == key_id, Key.revoked_at.is_(None))).first()
    known = row.sha256 if row else "0" * 64
    matches = hmac.compare_digest(known, _digest(secret))
    return Caller(key_id, row.name) if row and matches and prefix == "ath" else None


def valid(tx: Session, key_ids: Collection[str]) -> set[str]:
    """Those of these public ids whose keys are valid."""
    return set(tx.scalars(select(Key.id).where(Key.id.in_(key_ids), Key.revoked_at.is_(None))))


def revoke(tx: Session, key_id: str) -> bool:
    """Make a key invalid. False if there is no such valid key."""
    done = tx.execute(update(Key).where(Key.id == key_id, Key.revoked_at.is_(None)).values(revoked_at=now()))
    return bool(done.rowcount)  # type: ignore[attr-defined]


def names(tx: Session) -> list[tuple[str, str]]:
    """(public id, name) of the valid keys."""
    rows = tx.execute(select(Key.id, Key.name).where(Key.revoked_at.is_(None)).order_by(Key.created_at))
    return [(row.id, row.name) for row in rows]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
