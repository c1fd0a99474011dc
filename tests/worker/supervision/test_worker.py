"""What a worker does with a claim that got no answer, what it does beside attempts, and how it says that it ends."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import pytest
from sqlalchemy.exc import OperationalError

from athanor.contract import State
from models.records import jobs, workers
from models.settings import Settings, Timing
from tests.factories import a_job, a_spec, expire_lease
from tests.rows import job_row
from worker.supervision import trainer_start
from worker.supervision.slots import Slot
from worker.supervision.supervisor import Supervisor
from worker.supervision.worker import Worker


@pytest.fixture
def worker(migrated_url: str, tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(Settings(data=tmp_path, database_url=migrated_url, timing=Timing(sweep=0.2)), "local", 1)
    yield worker
    worker.database.close()


@pytest.fixture
def no_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is needed, and starting one takes seconds."""
    monkeypatch.setattr(Slot, "warm", lambda _: None)


def test_a_trainer_named_in_a_claim_without_an_answer_gets_no_other_job(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When that lease is over, the trainer is ended for it, whatever it is at by then."""
    monkeypatch.setattr(trainer_start, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    worker.slots[0].start = trainer_start.spawn
    with worker.database.writing() as tx:
        a_job(tx)

    def unanswered(*_: object) -> None:
        raise OperationalError("COMMIT", {}, ConnectionError("the server went away"))

    (slot,) = worker.slots
    trainer = slot.warm()
    monkeypatch.setattr(jobs, "claim", unanswered)
    with pytest.raises(OperationalError):
        worker.work(slot)
    assert trainer.gone.is_set() and slot.spare is None


@pytest.mark.usefixtures("no_trainer")
def test_a_worker_that_drains_says_so(worker: Worker) -> None:
    worker.open()
    try:
        worker.drain()
        until = monotonic() + 20
        while shown(worker) != "draining":
            assert monotonic() < until
            sleep(0.05)
    finally:
        worker.close()
    assert shown(worker) == "gone"


def shown(worker: Worker) -> str:
    with worker.database.reading() as tx:
        (row,) = workers.page(tx, None, 10, 30.0)[0]
    return row.state


def test_a_worker_keeps_an_attempt_whose_heartbeats_never_get_the_lock(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sweeps renew the lease for as long as the attempt has a supervisor."""
    monkeypatch.setattr(trainer_start, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    worker.slots[0].start = trainer_start.spawn
    over = Event()
    monkeypatch.setattr(Supervisor, "run", lambda supervisor: over.wait(20) and supervisor.trainer.close())
    worker.side_tasks.remove(worker.reaper)  # The sweeps of this test are its own.
    worker.open()
    with worker.database.writing() as tx:
        job_id = a_job(tx, spec=a_spec(checkpoints={"mode": "min"}, resources={"max_seconds": 60}))
    (slot,) = worker.slots
    working = Thread(target=worker.work, args=(slot,))
    working.start()
    try:
        wait_for(worker, job_id, "starting")
        until = monotonic() + 20
        while not worker.reaper.supervised():
            assert monotonic() < until, "the attempt has no supervisor"
            sleep(0.02)
        expire(worker, job_id)
        worker.reaper.run()
        assert state(worker, job_id) == "starting"
        over.set()
        working.join()
        expire(worker, job_id)
        worker.reaper.run()
        assert state(worker, job_id) == "queued"
    finally:
        over.set()
        working.join()
        worker.close()


def expire(worker: Worker, job_id: str) -> None:
    with worker.database.writing() as tx:
        expire_lease(tx, job_id=job_id)


def wait_for(worker: Worker, job_id: str, wanted: str) -> None:
    until = monotonic() + 20
    while state(worker, job_id) != wanted:
        assert monotonic() < until, f"the job is {state(worker, job_id)}, not {wanted}"
        sleep(0.02)


@dataclass
class Addition:
    """A side task that the worker does not know of."""

    name: str = "addition"
    interval: float = 0.01
    runs: int = 0

    def run(self) -> None:
        self.runs += 1


@pytest.mark.usefixtures("no_trainer")
def test_a_worker_runs_its_side_tasks_and_what_is_added_to_them(worker: Worker) -> None:
    addition = Addition()
    worker.side_tasks.append(addition)
    assert [task.name for task in worker.side_tasks][:3] == ["heartbeat", "reaper", "ringer"]
    with worker.database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        expire_lease(tx, job_id=job_id)
    worker.open()
    try:
        until = monotonic() + 20
        while addition.runs < 2 or state(worker, job_id) != "queued":
            assert monotonic() < until, "the lost job is not reaped, or the task that was added not run"
            sleep(0.05)
    finally:
        worker.close()


def state(worker: Worker, job_id: str) -> str:
    with worker.database.reading() as tx:
        return job_row(tx, job_id).state
