"""The database: SQLite or PostgreSQL, with sessions that read and transactions that write."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Float, Function, create_engine, event, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session

DatabaseUnavailable = (OperationalError, InternalError, InterfaceError, PoolTimeout)
"""What an unavailable database raises; a later try may succeed. psycopg raises InternalError for a session that was
ended for idling, or that has become read-only."""

BUSY = 30.0
"""Seconds that a SQLite writer waits for another writer, and PostgreSQL for a lock or for an idle transaction."""


class now(Function[float]):
    """The database's clock in seconds since 1970, read when the statement runs. Leases use no other clock."""

    inherit_cache = True

    def __init__(self) -> None:
        super().__init__("now", type_=Float())


@compiles(now, "sqlite")
def _sqlite_now(element: now, compiler: Any, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _postgresql_now(element: now, compiler: Any, **_: Any) -> str:
    # clock_timestamp, not now(): now() returns the start time of the transaction.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


class Database:
    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # A SQLite transaction reads from one snapshot. PostgreSQL's default is a new snapshot for every statement.
        snapshot = {} if url.startswith("sqlite") else {"isolation_level": "REPEATABLE READ"}
        self._readers = self.engine.execution_options(**snapshot)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session with a consistent view of the database. Nothing is written."""
        with Session(self._readers) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back if the block raises."""
        with Session(self.engine.execution_options(writes=True), expire_on_commit=False) as session, session.begin():
            yield session

    def ping(self) -> None:
        """Raises sqlalchemy.exc.OperationalError when the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def revisions(tx: Session) -> set[str]:
    """The Alembic revisions of the database; none if it was never migrated."""
    try:
        return set(tx.execute(text("SELECT version_num FROM alembic_version")).scalars())
    except (OperationalError, ProgrammingError):
        # Asked only now, because it takes longer than all else in a request.
        tx.rollback()
        if inspect(tx.connection()).has_table("alembic_version"):
            raise
        return set()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL mode. The driver's timeout does not apply if two processes switch a new file at once."""
    deadline = time.monotonic() + BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        most = round(BUSY * 1000)
        bound = {
            # A client that is suspended within a transaction must not keep its locks, nor let others wait for them.
            "options": f"-c idle_in_transaction_session_timeout={most} -c lock_timeout={most}",
            # Without these, the kernel waits for hours for a host that has disappeared.
            "connect_timeout": round(BUSY),
            "tcp_user_timeout": most,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
        }
        return create_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True, connect_args=bound)
    engine = create_engine(url, connect_args={"timeout": BUSY, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Switch off the driver's implicit BEGIN: it starts a read, which may fail to become a write.
        connection.isolation_level = None
        _use_wal(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
