"""Side tasks: each is repeated, whatever becomes of it and of the others."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError

from athanor.contract import State
from models.broker import Broker
from models.records import workers
from models.records.database import Database
from models.settings import Settings, Timing
from tests.factories import a_job, a_worker
from worker.supervision.side_tasks import Ringer, ScratchCleaner, SideTask, SideTaskRunner, WorkerHeartbeat


@dataclass
class Counter:
    """Counts its runs, and does the same at each."""

    name: str
    interval: float
    does: Callable[[], None] = lambda: None
    runs: int = 0
    ran: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        self.runs += 1
        self.ran.set()
        self.does()


@contextmanager
def running(*tasks: SideTask) -> Iterator[SideTaskRunner]:
    runner = SideTaskRunner(tasks)
    runner.start()
    try:
        yield runner
    finally:
        runner.close(5.0)


def await_runs(task: Counter, runs: int) -> None:
    until = time.monotonic() + 10
    while task.runs < runs:
        assert time.monotonic() < until, f"{task.name} ran {task.runs} times"
        time.sleep(0.005)


def test_a_task_is_repeated_and_no_other_waits_for_it() -> None:
    held = threading.Event()
    slow, quick = Counter("slow", 0.01, lambda: cast(None, held.wait(20))), Counter("quick", 0.01)
    with running(slow, quick):
        await_runs(quick, 5)
        assert slow.runs == 1
        held.set()
        await_runs(slow, 3)
    ended = quick.runs
    time.sleep(0.05)
    assert quick.runs == ended


@pytest.mark.parametrize("error", [RuntimeError("a fault"), OperationalError("SELECT", {}, ConnectionError("away"))])
def test_a_task_that_fails_is_run_again(error: Exception) -> None:
    def fail() -> None:
        raise error

    failing = Counter("failing", 0.01, fail)
    with running(failing):
        await_runs(failing, 3)


def test_a_task_may_be_woken_before_its_time() -> None:
    rare = Counter("rare", 3600.0)
    with running(rare) as runner:
        await_runs(rare, 1)
        runner.wake("rare")
        await_runs(rare, 2)


def test_an_end_waits_for_no_task_longer_than_it_is_told_to() -> None:
    held = threading.Event()
    runner = SideTaskRunner([Counter("stuck", 1.0, lambda: cast(None, held.wait(20)))])
    runner.start()
    began = time.monotonic()
    runner.close(0.1)
    assert time.monotonic() - began < 5
    held.set()


def test_what_a_worker_says_last_is_its_last_word(database: Database, tmp_path: Path) -> None:
    """A heartbeat that waited for the database may come after it."""
    with database.writing() as tx:
        worker_id = a_worker(tx)
    draining = [False]
    heartbeat = WorkerHeartbeat(database, Settings(data=tmp_path), worker_id, lambda: draining[0])

    def shown() -> str:
        heartbeat.run()
        with database.reading() as tx:
            return workers.page(tx, None, 1, 30.0)[0][0].state

    assert shown() == "active"
    draining[0] = True
    assert shown() == "draining"
    with database.writing() as tx:
        workers.beat(tx, worker_id, "gone")
    assert shown() == "gone"


def test_no_more_rings_than_free_hands(database: Database, tmp_path: Path) -> None:
    with database.writing() as tx:
        waiting = [a_job(tx) for _ in range(3)]
    broker, hands = Mock(spec=Broker), [0]
    ringer = Ringer(database, Settings(data=tmp_path), broker, lambda: hands[0])
    ringer.run()
    broker.ring.assert_not_called()
    hands[0] = 2
    ringer.run()
    rung = {call.args[0] for call in broker.ring.call_args_list}
    # In their order, up to what a clock can tell apart: any two may be the first.
    assert len(rung) == broker.ring.call_count == 2 and rung < set(waiting)


def test_folders_of_attempts_that_are_over_go(database: Database, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, timing=Timing(lease=0.05, heartbeat=0.01))
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
    mine, old, other = (settings.scratch / job / "a1" for job in (job_id, "job_old", "other"))
    for folder in (mine, old, other):
        folder.mkdir(parents=True)
    cleaner = ScratchCleaner(database, settings)
    cleaner.run()
    assert old.exists(), "its supervisor may be about to remove it"
    time.sleep(0.1)
    cleaner.run()
    assert (mine.exists(), old.parent.exists(), other.exists()) == (True, False, True)
