"""A worker process: its slots, its side tasks, and its row in the table of workers."""

import logging
import os
import platform
import queue
import threading
from contextlib import suppress
from dataclasses import dataclass, field

from athanor.contract import Device
from athanor.processes import confinement
from athanor.version import __version__
from models.broker import Broker
from models.records import jobs, workers
from models.records import queue as job_queue
from models.records.database import Database, DatabaseUnavailable
from models.records.ids import new_id
from models.settings import Settings
from models.storage.store import open_store
from worker.supervision import process_identity, trainer_start
from worker.supervision.devices import processors, visible
from worker.supervision.garbage_collector import GarbageCollector
from worker.supervision.reaper import Reaper
from worker.supervision.side_tasks import Ringer, ScratchCleaner, SideTask, SideTaskRunner, WorkerHeartbeat
from worker.supervision.slots import Slot, slots_of
from worker.supervision.supervisor import Supervisor
from worker.supervision.trainer_start import TrainerParent

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds to wait for side tasks at the end. A task may be deleting a large folder on a slow disk."""


@dataclass
class Worker:
    """Claims and supervises jobs, one thread per slot. Side tasks may be added before `open`."""

    settings: Settings
    mode: str
    wanted_slots: int | None = None
    id: str = field(default_factory=lambda: new_id("wrk"))

    def __post_init__(self) -> None:
        self.database = Database(self.settings.database)
        self.store = open_store(self.settings, self.database)
        self.broker = Broker(self.settings)
        self.devices: list[Device] = visible()
        self.parent = TrainerParent() if trainer_start.FORKS else None
        self.slots = slots_of(self.devices, self.wanted_slots, self.parent.fork if self.parent else trainer_start.spawn)
        self.processors = max(1, processors() // len(self.slots))
        """Processors for the trainer of each slot."""
        self.free: queue.Queue[Slot] = queue.Queue()
        for slot in self.slots:
            self.free.put(slot)
        self._draining = threading.Event()
        self._supervised: set[tuple[str, int]] = set()
        """(job id, attempt) of each attempt that has a supervisor now."""
        database, settings = self.database, self.settings
        self.reaper = Reaper(
            database,
            settings.timing,
            reaped=lambda: self._wake("ringer"),
            supervised=lambda: self._supervised.copy(),
        )
        self.side_tasks: list[SideTask] = [
            WorkerHeartbeat(database, settings, self.id, lambda: self.is_draining),
            self.reaper,
            Ringer(database, settings, self.broker, lambda: 0 if self.is_draining else self.free.qsize()),
            ScratchCleaner(database, settings),
            GarbageCollector(database, self.store, settings.timing, self._draining),
        ]
        self._runner: SideTaskRunner | None = None

    def open(self) -> None:
        """Add this worker to the table, and start the waiting trainers and the side tasks."""
        confinement.warn()
        self.settings.scratch.mkdir(parents=True, exist_ok=True)
        with self.database.writing() as tx:
            workers.enlist(
                tx,
                self.id,
                host=platform.node(),
                machine=process_identity.machine(),
                pid=os.getpid(),
                pid_started=process_identity.started(os.getpid()) or 0.0,
                version=__version__,
                mode=self.mode,
                slots=len(self.slots),
                devices=self.devices,
            )
        if self.parent is not None:
            self.parent.start()
        for slot in self.slots:
            threading.Thread(target=self._warm, args=(slot,), daemon=True).start()
        self._runner = SideTaskRunner(self.side_tasks)
        self._runner.start()

    @property
    def is_draining(self) -> bool:
        return self._draining.is_set()

    def drain(self) -> None:
        """Take no more jobs. Running jobs write a checkpoint and go back to the queue."""
        self._draining.set()
        if self.parent is not None:
            self.parent.end_soon()

    def pause(self) -> None:
        """Wait before the table is read again."""
        self._draining.wait(self.settings.timing.poll)

    def close(self) -> None:
        """Close everything. Call it after all threads that call `work` have ended."""
        self._draining.set()
        if self._runner is not None:
            self._runner.close(PATIENCE)
        if self.parent is not None:
            self.parent.close()
        for slot in self.slots:
            slot.empty()
        with self.database.writing() as tx:
            workers.beat(tx, self.id, "gone")
        self.database.close()

    def work(self, slot: Slot) -> bool:
        """Claim the first job that this slot may run, and run it. False if there was none."""
        with self.database.reading() as tx:
            if self.is_draining or job_queue.is_empty(tx, slot.serves, self.id):
                return False
        try:
            processes = process_identity.identified(slot.warm().pids)
        except OSError:
            if self.is_draining:
                return False
            raise
        try:
            with self.database.writing() as tx:
                claim = jobs.claim(tx, self.id, slot.serves, self.settings.timing.lease, processes)
        except BaseException:
            # The claim may have been committed: a reaper may then kill this trainer while it runs another job.
            slot.empty()
            raise
        if claim is None:
            return False
        trainer, done = slot.take(), threading.Event()
        logger.info("%s: attempt %d", claim.job_id, claim.attempt)
        try:
            supervisor = Supervisor(
                self.database, self.store, self.settings, claim, trainer, lambda: self.is_draining, self.processors
            )
        except BaseException:
            # No supervisor watches the trainer. The lease expires.
            trainer.close()
            raise
        with suppress(RuntimeError):
            # If no more threads can start, the next job waits for its trainer.
            threading.Thread(target=self._warm_for_the_next, args=(slot, done), daemon=True).start()
        attempt = (claim.job_id, claim.attempt)
        self._supervised.add(attempt)
        try:
            supervisor.run()
        finally:
            self._supervised.discard(attempt)
            done.set()
        if not self.is_draining:
            self._warm(slot)
        return True

    def pass_on(self, job_id: str) -> None:
        """Have a ringer ring again for a job that this worker cannot take, if it is still queued."""
        with suppress(*DatabaseUnavailable), self.database.writing() as tx:
            job_queue.mark_unheard(tx, job_id)

    def _wake(self, name: str) -> None:
        if self._runner is not None:
            self._runner.wake(name)

    def _warm_for_the_next(self, slot: Slot, done: threading.Event) -> None:
        """While a job runs, start the trainer of the next queued job in advance: it may have to import PyTorch."""
        while not done.wait(1.0) and not self.is_draining:
            with suppress(*DatabaseUnavailable), self.database.reading() as tx:
                if not job_queue.is_empty(tx, slot.serves, self.id):
                    self._warm(slot)
                    return

    def _warm(self, slot: Slot) -> None:
        try:
            slot.warm()
        except OSError as error:
            if not self.is_draining:
                logger.warning("no trainer could be started (%s); the next claim tries again", error)
