"""Side tasks that a worker repeats besides its attempts, and their runner."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from athanor.processes.left_behind import remove
from models.broker import Broker
from models.records import queue, workers
from models.records.database import Database, DatabaseUnavailable
from models.settings import Settings

logger = logging.getLogger(__name__)

JITTER = 0.2
"""The fraction by which an interval varies at random, so that many workers do not act at the same time."""


class SideTask(Protocol):
    """A task that is repeated. If a run fails, the next run tries again."""

    @property
    def name(self) -> str:
        """The name of the thread, also used in the log."""

    @property
    def interval(self) -> float:
        """Seconds from the end of a run to the next run."""

    def run(self) -> None:
        """Do the task once."""


class SideTaskRunner:
    """Runs each task at once and then again after each interval, on a thread of its own."""

    def __init__(self, tasks: Iterable[SideTask]) -> None:
        self._closing = False
        self._wake = {task.name: threading.Event() for task in tasks}
        self._threads = [
            threading.Thread(target=self._repeat, args=(task,), name=task.name, daemon=True) for task in tasks
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self, name: str) -> None:
        """Run a task as soon as possible, without waiting for its interval."""
        self._wake[name].set()

    def close(self, patience: float) -> None:
        """Start no further run, and wait at most `patience` seconds for the current ones."""
        self._closing = True
        for event in self._wake.values():
            event.set()
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _repeat(self, task: SideTask) -> None:
        wake = self._wake[task.name]
        while not self._closing:
            try:
                task.run()
            except DatabaseUnavailable as error:
                logger.warning("%s: the database is unavailable (%s)", task.name, error)
            except Exception:
                logger.exception("%s failed; the next run tries again", task.name)
            wake.wait(task.interval * random.uniform(1 - JITTER, 1 + JITTER))  # nosec B311 # jitter is no secret
            wake.clear()


@dataclass
class WorkerHeartbeat:
    """Writes this worker's heartbeat, and whether it takes jobs, to the table of workers."""

    database: Database
    settings: Settings
    worker_id: str
    is_draining: Callable[[], bool]
    name: str = "heartbeat"

    @property
    def interval(self) -> float:
        return self.settings.timing.sweep

    def run(self) -> None:
        with self.database.writing() as tx:
            workers.beat(tx, self.worker_id, "draining" if self.is_draining() else "active")


@dataclass
class Ringer:
    """Rings for queued jobs whose ring was lost or not answered. Several workers may do so at once."""

    database: Database
    settings: Settings
    broker: Broker
    hands: Callable[[], int]
    """Returns the number of free slots. More rings would wait behind long jobs."""
    name: str = "ringer"

    @property
    def interval(self) -> float:
        return self.settings.timing.sweep

    def run(self) -> None:
        with self.database.writing() as tx:
            waiting = queue.to_ring(tx, self.settings.timing.ring_again, self.hands())
        for job_id in waiting:
            if not self.broker.ring(job_id):
                break


class ScratchCleaner:
    """Removes attempt folders that no living attempt of this machine owns."""

    name = "scratch_cleaner"

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database, self.settings = database, settings
        self.interval = settings.timing.sweep
        self._unowned: dict[Path, float] = {}
        """Folders without a lease, and the time (monotonic) since when."""

    def run(self) -> None:
        with self.database.reading() as tx:
            held = {(job_id, attempt) for job_id, attempt in queue.held(tx)}
        there = set(self.settings.scratch.glob("job_*/a*"))
        unowned = {folder for folder in there if (folder.parent.name, int(folder.name[1:])) not in held}
        # A supervisor removes its own folder at its end, so a folder must have been unowned for a while.
        self._unowned = {folder: self._unowned.get(folder, time.monotonic()) for folder in unowned}
        for folder, since in self._unowned.items():
            if time.monotonic() - since > self.settings.timing.lease:
                remove(folder)
        for parent in self.settings.scratch.glob("job_*"):
            with suppress(OSError):
                parent.rmdir()
