"""Transactions, the clock, and the names of rows."""

import threading
import time

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from models.records.database import Database, now
from models.records.ids import new_id
from models.records.tables import Key
from models.records.times import rfc3339
from tests.factories import a_job, a_key
from tests.rows import counts


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.writing() as tx:
        a_job(tx, priority=len(a_job(tx)) // 0)
    with database.reading() as tx:
        assert counts(tx) == {}


def test_reading_keeps_nothing(database: Database) -> None:
    with database.reading() as tx:
        a_key(tx)
    with database.reading() as tx:
        assert counts(tx) == {}


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.reading() as tx:
        assert counts(tx) == {}
        with database.writing() as other:
            a_key(other)
        assert counts(tx) == {}
    with database.reading() as tx:
        assert counts(tx) == {"keys": 1}


def test_a_writer_sees_what_was_committed_since(database: Database) -> None:
    with database.writing() as tx:
        a_key(tx)
    with database.reading() as _, database.writing() as tx:
        assert counts(tx) == {"keys": 1}


def test_writers_wait_for_each_other(database: Database) -> None:
    """SQLite answers 'database is locked' at once to a read that becomes a write; nobody here does that."""

    def increment() -> None:
        for _ in range(10):
            with database.writing() as tx:
                known = len(tx.scalars(select(Key.id).with_for_update()).all())
                tx.execute(insert(Key).values(id=new_id("k"), name=str(known), sha256="", created_at=now()))

    threads = [threading.Thread(target=increment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as tx:
        assert counts(tx) == {"keys": 40}


def test_the_clock_runs_within_a_transaction(database: Database) -> None:
    with database.writing() as tx:
        first = tx.scalars(select(now())).one()
        time.sleep(0.02)
        second = tx.scalars(select(now())).one()
    assert 0.01 < second - first < 5
    assert first == pytest.approx(time.time(), abs=5)


def test_sqlite_keeps_its_promises(database: Database, dialect: str) -> None:
    if dialect == "sqlite":
        with database.reading() as tx:
            pragmas = [tx.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
        assert pragmas == ["wal", 2, 1]


def test_ping() -> None:
    for url in ("sqlite:////nowhere/at/all.db", "postgresql+psycopg://nobody@127.0.0.1:9/none"):
        away = Database(url)
        with pytest.raises(OperationalError):
            away.ping()
        away.close()


def test_it_answers(database: Database) -> None:
    database.ping()


def test_ids_sort_by_age() -> None:
    made = []
    for _ in range(5):
        made.append(new_id("job"))
        time.sleep(0.002)
    assert made == sorted(made)
    assert len({new_id("job") for _ in range(1000)}) == 1000
    assert {(len(each), each[16], each[20] in "89ab") for each in made} == {(36, "7", True)}


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(1_800_000_000.1234) == "2027-01-15T08:00:00.123Z"
    assert rfc3339(None) is None
