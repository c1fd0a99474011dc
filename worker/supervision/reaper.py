"""The reaper queues jobs whose lease has expired, after their trainers are gone."""

import logging
import math
from collections.abc import Callable, Collection
from contextlib import suppress

from models.records import jobs, queue
from models.records.database import Database, DatabaseUnavailable
from models.settings import Timing
from worker.supervision import process_identity
from worker.supervision.clock import uptime
from worker.supervision.side_tasks import JITTER
from worker.supervision.trainer_process import end_group

logger = logging.getLogger(__name__)


class Reaper:
    """Queues lost jobs again. Several workers may do this at once. `reaped` is called if jobs were lost.

    `supervised` returns the (job id, attempt) of this worker's own attempts. Their leases are renewed, not reaped: if
    many processes wait for the lock of SQLite, a reaper may get it although no heartbeat of its own worker does.

    It does nothing while leases may have expired because nobody could renew them: after this process or the database
    was suspended, or the database's clock was set forward, it waits for the time of one lease.
    """

    name = "reaper"

    def __init__(
        self,
        database: Database,
        timing: Timing,
        reaped: Callable[[], None],
        supervised: Callable[[], Collection[tuple[str, int]]] = tuple,
    ) -> None:
        self.database, self.timing, self.reaped, self.supervised = database, timing, reaped, supervised
        self.interval = timing.sweep
        self._looked_at = uptime()
        self._paused_until = 0.0
        self._clock_offset = math.inf
        """Seconds by which the database's clock was ahead of this process's clock at the last comparison."""

    def run(self) -> None:
        try:
            self._reap()
        except DatabaseUnavailable:
            self._pause_reaping()
            raise
        finally:
            # Waiting for a slow database or for the end of a trainer does not count as a suspension.
            self._looked_at = uptime()

    def _reap(self) -> None:
        machine = process_identity.machine()
        reaps = self._may_reap(self.timing.sweep * (1 + JITTER))
        self._renew()
        with self.database.writing() as tx:
            until = queue.time(tx)
            reaps = self._trusts(until) and reaps
            if reaps:
                queue.expire_dead(tx, machine, process_identity.started)
            overdue = queue.overdue(tx, machine) if reaps else []
        # Checked again: the database may have been suspended while this process waited for it.
        reaps = reaps and self._may_reap()
        for pid, started in overdue if reaps else []:
            if process_identity.started(pid) == started and not end_group(pid):
                logger.warning("process %d cannot be killed yet; its job waits until it is gone", pid)
                reaps = False
        if not reaps:
            return
        with self.database.writing() as tx:
            lost = jobs.reap(tx, until)
        for job_id in lost:
            logger.warning("%s: its worker was lost", job_id)
        if lost:
            self.reaped()

    def _renew(self) -> None:
        for job_id, attempt in self.supervised():
            with suppress(jobs.LeaseLost), self.database.writing() as tx:
                jobs.beat(tx, job_id, attempt, self.timing.lease)

    def _may_reap(self, pause: float = 0.0) -> bool:
        """False while leases may have expired because nobody could renew them.

        `pause` is the expected time since the last call, in seconds. If half a lease more has passed, this process was
        suspended: frozen, on a machine that slept, or waiting for the database. Other workers may have been, too.
        """
        before, self._looked_at = self._looked_at, uptime()
        still = self._looked_at - before - pause
        if still > self.timing.lease / 2:
            logger.warning("nothing is reaped for a while: this worker was suspended for %.0f s", still)
            self._pause_reaping()
        return self._looked_at >= self._paused_until

    def _trusts(self, time: float) -> bool:
        """Whether the database's clock runs like this process's. If it was set forward, valid leases seem expired."""
        before, self._clock_offset = self._clock_offset, time - uptime()
        if self._clock_offset - before > self.timing.lease / 2:
            logger.warning("nothing is reaped for a while: the database's clock was set forward")
            self._pause_reaping()
            return False
        return True

    def _pause_reaping(self) -> None:
        """Reap nothing for the time of one lease, so that every worker can renew its leases."""
        self._paused_until = uptime() + self.timing.lease
