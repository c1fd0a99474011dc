"""Calls that outlast an outage of the database, and how long they do."""

import time

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from models.records import keys
from models.records.database import Database
from worker.supervision import database_retry
from worker.supervision.database_retry import DatabaseRetry


def away() -> OperationalError:
    return OperationalError("SELECT", {}, ConnectionError("the server went away"))


@pytest.fixture
def retry(database: Database, monkeypatch: pytest.MonkeyPatch) -> DatabaseRetry:
    """One whose pauses take no time."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return DatabaseRetry(database, "job_1")


def test_a_call_is_repeated_until_the_database_answers(retry: DatabaseRetry) -> None:
    failures = [away(), away()]

    def ask() -> int:
        if failures:
            raise failures.pop()
        return 7

    assert retry.call(ask) == 7


def test_a_transaction_is_written_once_however_often_it_is_tried(retry: DatabaseRetry, database: Database) -> None:
    failures = [away()]

    def write(tx: Session) -> None:
        keys.create(tx, "mine")
        if failures:
            raise failures.pop()

    retry.commit(write)
    with database.reading() as tx:
        assert [name for _, name in keys.names(tx)] == ["mine"]


def test_an_outage_that_lasts_is_raised(retry: DatabaseRetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_retry, "LONGEST_OUTAGE", 0.0)

    def ask() -> None:
        raise away()

    with pytest.raises(OperationalError):
        retry.call(ask)


def test_what_is_no_outage_is_raised_at_once(retry: DatabaseRetry) -> None:
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise IntegrityError("INSERT", {}, ValueError("twice"))

    for repeat in (retry.call, retry.once):
        with pytest.raises(IntegrityError):
            repeat(ask)
    assert asked == [1, 1]


def test_what_the_next_call_makes_up_for_is_not_repeated(retry: DatabaseRetry) -> None:
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise away()

    retry.once(ask)
    assert asked == [1]
