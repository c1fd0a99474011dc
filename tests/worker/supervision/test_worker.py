"""A worker reaps nobody whose lease could not be renewed or only seems to be over; what its slots keep and let go."""

import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from athanor.contract import State
from models.records import jobs, queue, workers
from models.settings import Settings, Timing
from tests.factories import a_job, expire_lease
from tests.rows import job_row
from worker.supervision import trainer_process as processes
from worker.supervision import worker as stations
from worker.supervision.worker import Slot, Worker


@pytest.fixture
def station(migrated_url: str, tmp_path: Path) -> Iterator[Worker]:
    station = Worker(Settings(data=tmp_path, database_url=migrated_url, timing=Timing(sweep=0.2)), "local", 1)
    yield station
    station.database.close()


def overdue(station: Worker) -> str:
    """A job whose lease has run out."""
    with station.database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        expire_lease(tx, job_id=job_id)
    return job_id


def state(station: Worker, job_id: str) -> str:
    with station.database.reading() as tx:
        return _state(tx, job_id)


def _state(tx: Session, job_id: str) -> str:
    return job_row(tx, job_id).state


def test_what_is_overdue_is_reaped(station: Worker) -> None:
    job_id = overdue(station)
    station.sweep()
    assert state(station, job_id) == "queued"


def test_nothing_is_reaped_for_a_lease_after_the_worker_stood_still(station: Worker) -> None:
    job_id = overdue(station)
    station._looked_at -= 25
    spared_for_a_lease(station, job_id)


def spared_for_a_lease(station: Worker, job_id: str) -> None:
    """An overdue job is left alone until everyone had the time to renew a lease."""
    station.sweep()
    station.sweep()
    assert state(station, job_id) == "running"
    station._amnesty_until -= station.settings.timing.lease
    station.sweep()
    assert state(station, job_id) == "queued"


def test_nor_after_the_database_stood_still(station: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers at last, and by its clock every lease is over."""
    job_id, clock = overdue(station), iter([station._looked_at + later for later in (1, 41, 41, 41)])
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


def test_a_trainer_named_in_a_claim_without_an_answer_gets_no_other_job(
    station: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When that lease is over, the trainer is ended for it, whatever it is at by then."""
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    with station.database.writing() as tx:
        a_job(tx)

    def unanswered(*_: object) -> None:
        raise OperationalError("COMMIT", {}, ConnectionError("the server went away"))

    (slot,) = station.all_slots
    trainer = slot.warm()
    monkeypatch.setattr(jobs, "claim", unanswered)
    with pytest.raises(OperationalError):
        station.work(slot)
    assert trainer.gone.is_set() and slot.spare is None


def test_nothing_is_reaped_for_a_clock_that_was_set_forward(station: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    station.sweep()
    job_id, time = overdue(station), queue.time
    monkeypatch.setattr(queue, "time", lambda tx: time(tx) + 3600)
    spared_for_a_lease(station, job_id)


def test_a_worker_that_drains_says_so(station: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slot, "warm", lambda _: None)
    station.open()
    try:
        station.drain()
        until = monotonic() + 20
        while shown(station) != "draining":
            assert monotonic() < until
            sleep(0.05)
    finally:
        monkeypatch.setattr(station.database, "close", lambda: None)
        station.close()
    assert shown(station) == "gone"


def shown(station: Worker) -> str:
    with station.database.reading() as tx:
        (worker,) = workers.page(tx, None, 10, 30.0)
    return worker.state
