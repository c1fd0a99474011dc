"""A worker process: its slots with a warm trainer in each, its sweep, its place in the table."""

import logging
import math
import os
import platform
import queue
import random
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from athanor.contract import Device
from athanor.version import __version__
from models.broker import Broker
from models.records import jobs, workers
from models.records import queue as table
from models.records.database import Database, DatabaseUnavailable
from models.records.ids import new_id
from models.settings import Settings
from models.storage.store import open_store
from worker.supervision import process_identity
from worker.supervision.clock import uptime
from worker.supervision.devices import cuda_numbers, visible
from worker.supervision.garbage_collector import GarbageCollector
from worker.supervision.supervisor import Supervisor
from worker.supervision.trainer_process import TrainerProcess, end_group

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds for the janitor to see that this worker ends."""

LONGEST_PAUSE = 1.2
"""Of what `Timing.sweep` says: sweeps of many workers are not to fall together."""


@dataclass
class Slot:
    """A device, or a share of the processor, with the trainer that waits for the next job on it."""

    cuda: str | None
    spare: TrainerProcess | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def serves(self) -> list[str]:
        """The values of `resources.device` that may run here."""
        return ["auto", "cpu"] if self.cuda is None else ["auto", "cuda", "cpu"]

    def warm(self) -> TrainerProcess:
        """The waiting trainer; a new one where it died meanwhile."""
        with self.lock:
            if self.spare is not None and not self.spare.is_alive:
                self._end_spare()
            self.spare = self.spare or TrainerProcess(self.cuda)
            return self.spare

    def take(self) -> TrainerProcess:
        """The waiting trainer, for a job."""
        trainer = self.warm()
        with self.lock:
            self.spare = None
        return trainer

    def empty(self) -> None:
        """End the waiting trainer, where there is one."""
        with self.lock:
            self._end_spare()

    def _end_spare(self) -> None:
        if self.spare is not None:
            self.spare.close()
            self.spare = None


@dataclass
class Worker:
    """Claims and supervises in as many threads as it has slots; sweeps in one more."""

    settings: Settings
    mode: str
    slots: int | None = None
    id: str = field(default_factory=lambda: new_id("wrk"))

    def __post_init__(self) -> None:
        self.database = Database(self.settings.database)
        self.store = open_store(self.settings, self.database)
        self.broker = Broker(self.settings)
        self.devices: list[Device] = visible()
        numbers: list[str | None] = [None]
        if self.devices[0].kind == "cuda":
            numbers = [*cuda_numbers(len(self.devices))]
        elif self.slots is not None:
            numbers = [None] * max(1, self.slots)
        self.all_slots = [Slot(number) for number in numbers]
        self.free: queue.Queue[Slot] = queue.Queue()
        for slot in self.all_slots:
            self.free.put(slot)
        self._ending = threading.Event()
        self._closing = threading.Event()
        self._looked_at = uptime()
        self._amnesty_until = 0.0
        self._ahead = math.inf
        """Of this process's clock the database's, when they were last compared."""
        self._unowned: dict[Path, float] = {}
        """Attempt folders that nobody's lease is for, and since when: by this process's clock alone."""
        self._sweeper = threading.Thread(target=self._sweep_on, name="sweep", daemon=True)
        # Beside the sweep, which must not wait for it: a store may be large, and slow.
        janitor = GarbageCollector(self.database, self.store, self.settings.timing)
        self._janitor = threading.Thread(target=janitor.run, args=(self._ending,), name="janitor", daemon=True)

    def open(self) -> None:
        """Enlist, warm the trainers up, begin to sweep."""
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
                slots=len(self.all_slots),
                devices=self.devices,
            )
        for slot in self.all_slots:
            slot.warm()
        self._sweeper.start()
        self._janitor.start()

    @property
    def is_draining(self) -> bool:
        return self._ending.is_set()

    def drain(self) -> None:
        """Take no more jobs; ask those at work to write a checkpoint and go back to the queue."""
        self._ending.set()

    def pause(self) -> None:
        """Wait a moment before looking at the table again."""
        self._ending.wait(self.settings.timing.poll)

    def close(self) -> None:
        """After the threads that `work` have returned."""
        self._ending.set()
        self._closing.set()
        self._sweeper.join()
        # Not for long: it may be in the middle of a large folder, on a slow disk.
        self._janitor.join(PATIENCE)
        for slot in self.all_slots:
            slot.empty()
        with self.database.writing() as tx:
            workers.beat(tx, self.id, "gone")
        self.database.close()

    def work(self, slot: Slot) -> bool:
        """Claim the best job this slot may run and see it through. False where there was none."""
        with self.database.reading() as tx:
            if self.is_draining or table.is_empty(tx, slot.serves):
                return False
        pid = slot.warm().pid
        named = (pid, process_identity.started(pid))
        try:
            with self.database.writing() as tx:
                claim = jobs.claim(tx, self.id, slot.serves, self.settings.timing.lease, *named)
        except BaseException:
            # It may have been claimed all the same, and this trainer be ended for it while it is at another job.
            slot.empty()
            raise
        if claim is None:
            return False
        trainer, done = slot.take(), threading.Event()
        logger.info("%s: attempt %d", claim.job_id, claim.attempt)
        try:
            supervisor = Supervisor(self.database, self.store, self.settings, claim, trainer, lambda: self.is_draining)
        except BaseException:
            # Nobody would look after it; the lease runs out.
            trainer.close()
            raise
        with suppress(RuntimeError):
            # Without room for a thread more, the next job waits for its trainer.
            threading.Thread(target=self._warm_for_the_next, args=(slot, done), daemon=True).start()
        try:
            supervisor.run()
        finally:
            done.set()
        if not self.is_draining:
            slot.warm()
        return True

    def pass_on(self, job_id: str) -> None:
        """Let the next sweep ring for a job that this worker heard of and cannot take, where it still waits."""
        with suppress(*DatabaseUnavailable), self.database.writing() as tx:
            table.mark_unheard(tx, job_id)

    def _warm_for_the_next(self, slot: Slot, done: threading.Event) -> None:
        """While a job runs, start the trainer of the next one as soon as there is one: importing takes seconds."""
        while not done.wait(1.0) and not self.is_draining:
            with suppress(*DatabaseUnavailable), self.database.reading() as tx:
                if not table.is_empty(tx, slot.serves):
                    slot.warm()
                    return

    def _sweep_on(self) -> None:
        pause = self.settings.timing.sweep
        while True:
            try:
                self.sweep()
            except DatabaseUnavailable as error:
                logger.warning("no sweep: the database is away (%s)", error)
                self._grant_amnesty()
            except Exception:
                logger.exception("a sweep failed; the next one tries again")
            # However long a slow broker or a slow disk took: that is no sleep.
            self._looked_at = uptime()
            if self._closing.wait(pause * random.uniform(2 - LONGEST_PAUSE, LONGEST_PAUSE)):
                return

    def sweep(self) -> None:
        """Reap what was lost, ring for what waits, say that we are here. Any number of workers may do so at once."""
        reaps = self._may_reap(self.settings.timing.sweep * LONGEST_PAUSE)
        with self.database.writing() as tx:
            workers.beat(tx, self.id, "draining" if self.is_draining else "active")
            until = table.time(tx)
            reaps = self._trusts(until) and reaps
            if reaps:
                table.expire_dead(tx, process_identity.machine(), process_identity.started)
            overdue = table.overdue(tx, process_identity.machine()) if reaps else []
        # Once more: the database itself may have stood still, with us waiting for it.
        reaps = reaps and self._may_reap()
        for pid, started in overdue if reaps else []:
            if process_identity.started(pid) == started and not end_group(pid):
                logger.warning("process %d cannot be ended; its job waits for that", pid)
                reaps = False
        with self.database.writing() as tx:
            if reaps:
                for job_id in jobs.reap(tx, until):
                    logger.warning("%s: its worker was lost", job_id)
            # No more rings than hands: they would pile up behind a long job.
            hands = 0 if self.is_draining else self.free.qsize()
            waiting = table.to_ring(tx, self.settings.timing.ring_again, hands)
        for job_id in waiting:
            if not self.broker.ring(job_id):
                break
        self._tidy()

    def _may_reap(self, pause: float = 0.0) -> bool:
        """Not while leases may have run out because nobody could renew them.

        `pause` are the seconds that were to pass since this was last asked. Where half a lease more went by, this
        process stood still: frozen, on a machine that slept, or behind a database that gave no answer; and so, perhaps,
        did every other.
        """
        before, self._looked_at = self._looked_at, uptime()
        still = self._looked_at - before - pause
        if still > self.settings.timing.lease / 2:
            logger.warning("nothing is reaped for a while: this worker stood still for %.0f s", still)
            self._grant_amnesty()
        return self._looked_at >= self._amnesty_until

    def _trusts(self, time: float) -> bool:
        """Whether the database's clock went on as this process's did; set forward, it ends leases that are kept."""
        before, self._ahead = self._ahead, time - uptime()
        if self._ahead - before > self.settings.timing.lease / 2:
            logger.warning("nothing is reaped for a while: the database's clock was set forward")
            self._grant_amnesty()
            return False
        return True

    def _grant_amnesty(self) -> None:
        """Everyone gets the time to renew a lease."""
        self._amnesty_until = uptime() + self.settings.timing.lease

    def _tidy(self) -> None:
        """Remove attempt folders that no living attempt of this machine owns."""
        with self.database.reading() as tx:
            held = {(job_id, attempt) for job_id, attempt in table.held(tx)}
        there = set(self.settings.scratch.glob("job_*/a*"))
        unowned = {folder for folder in there if (folder.parent.name, int(folder.name[1:])) not in held}
        # A supervisor at its end removes its own folder, and is not to be raced.
        self._unowned = {folder: self._unowned.get(folder, time.monotonic()) for folder in unowned}
        for folder, since in self._unowned.items():
            if time.monotonic() - since > self.settings.timing.lease:
                shutil.rmtree(folder, ignore_errors=True)
        for parent in self.settings.scratch.glob("job_*"):
            with suppress(OSError):
                parent.rmdir()
