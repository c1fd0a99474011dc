"""A worker that stood still reaps nobody: leases ran out because nobody could renew them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from athanor.contract import State
from models.settings import Settings
from tests.factories import a_job, expire_lease
from tests.rows import job_row
from worker import process as processes
from worker import station as stations
from worker.station import Slot, Station


@pytest.fixture
def station(migrated_url: str, tmp_path: Path) -> Iterator[Station]:
    station = Station(Settings(data=tmp_path, database_url=migrated_url), "local", 1)
    yield station
    station.database.close()


def overdue(station: Station) -> str:
    """A job whose lease has run out."""
    with station.database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        expire_lease(tx, job_id=job_id)
    return job_id


def state(station: Station, job_id: str) -> str:
    with station.database.reading() as tx:
        return _state(tx, job_id)


def _state(tx: Session, job_id: str) -> str:
    return job_row(tx, job_id).state


def test_what_is_overdue_is_reaped(station: Station) -> None:
    job_id = overdue(station)
    station.sweep()
    assert state(station, job_id) == "queued"


def test_nothing_is_reaped_for_a_lease_after_the_worker_stood_still(station: Station) -> None:
    job_id = overdue(station)
    station._looked_at -= 25
    station.sweep()
    station.sweep()
    assert state(station, job_id) == "running"
    station._amnesty_until -= station.settings.timing.lease
    station.sweep()
    assert state(station, job_id) == "queued"


def test_nor_after_the_database_stood_still(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers at last, and by its clock every lease is over."""
    job_id, clock = overdue(station), iter([station._looked_at + 1, station._looked_at + 41, station._looked_at + 41])
    monkeypatch.setattr(stations, "uptime", lambda: next(clock))
    station.sweep()
    assert state(station, job_id) == "running"


def test_a_spare_that_died_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    slot = Slot(None)
    dead = slot.warm()
    dead.kill()
    assert dead.gone.wait(10)
    slot.warm().close()
    assert dead.process.stdin is not None and dead.process.stdin.closed
