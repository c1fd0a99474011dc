"""A reaper takes nobody's job whose lease could not be renewed, or only seems to be over."""

import pytest
from sqlalchemy.exc import OperationalError

from athanor.contract import State
from models.records import queue
from models.records.database import Database
from models.settings import Timing
from tests.factories import a_job, expire_lease
from tests.rows import job_row
from worker.supervision import reaper as reapers
from worker.supervision.reaper import Reaper


@pytest.fixture
def reaped() -> list[str]:
    """Filled where a reaper says that there was something."""
    return []


@pytest.fixture
def reaper(database: Database, reaped: list[str]) -> Reaper:
    return Reaper(database, Timing(sweep=0.2), reaped=lambda: reaped.append("reaped"))


def overdue(database: Database) -> str:
    """A job whose lease has run out."""
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
    expire(database, job_id)
    return job_id


def expire(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        expire_lease(tx, job_id=job_id)


def state(database: Database, job_id: str) -> str:
    with database.reading() as tx:
        return job_row(tx, job_id).state


def test_what_is_overdue_is_reaped_and_rung_for(reaper: Reaper, database: Database, reaped: list[str]) -> None:
    job_id = overdue(database)
    reaper.run()
    assert state(database, job_id) == "queued" and reaped == ["reaped"]
    reaper.run()
    assert reaped == ["reaped"]


def test_a_worker_does_not_reap_its_own_attempts(database: Database, reaped: list[str]) -> None:
    """Their heartbeats may have waited for the lock of SQLite all the time. What nobody supervises is reaped."""
    own, other = overdue(database), overdue(database)
    with database.reading() as tx:
        attempt = job_row(tx, own).attempt
    supervised = {(own, attempt), (other, attempt - 1)}
    reaper = Reaper(database, Timing(sweep=0.2), lambda: reaped.append("reaped"), lambda: supervised)
    reaper.run()
    assert (state(database, own), state(database, other)) == ("running", "queued")
    supervised.clear()
    expire(database, own)
    reaper.run()
    assert state(database, own) == "queued"


def test_nothing_is_reaped_for_a_lease_after_the_worker_stood_still(reaper: Reaper, database: Database) -> None:
    job_id = overdue(database)
    reaper._looked_at -= 25
    spared_for_a_lease(reaper, database, job_id)


def spared_for_a_lease(reaper: Reaper, database: Database, job_id: str) -> None:
    """An overdue job is left alone until everyone had the time to renew a lease."""
    reaper.run()
    reaper.run()
    assert state(database, job_id) == "running"
    reaper._paused_until -= reaper.timing.lease
    reaper.run()
    assert state(database, job_id) == "queued"


def test_nor_after_the_database_stood_still(
    reaper: Reaper, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answers at last, and by its clock every lease is over."""
    job_id, clock = overdue(database), iter([reaper._looked_at + later for later in (1, 41, 41, 41, 41)])
    monkeypatch.setattr(reapers, "uptime", lambda: next(clock))
    reaper.run()
    assert state(database, job_id) == "running"


def test_nor_after_the_database_was_away(reaper: Reaper, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = overdue(database)

    def away(*_: object) -> None:
        raise OperationalError("SELECT", {}, ConnectionError("the server went away"))

    with monkeypatch.context() as patched:
        patched.setattr(queue, "time", away)
        with pytest.raises(OperationalError):
            reaper.run()
    spared_for_a_lease(reaper, database, job_id)


def test_nothing_is_reaped_for_a_clock_that_was_set_forward(
    reaper: Reaper, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaper.run()
    job_id, time = overdue(database), queue.time
    monkeypatch.setattr(queue, "time", lambda tx: time(tx) + 3600)
    spared_for_a_lease(reaper, database, job_id)
