"""The reaper: jobs whose lease has run out go back to the queue, once their trainers are gone."""

import logging
import math
from collections.abc import Callable

from models.records import jobs, queue
from models.records.database import Database, DatabaseUnavailable
from models.settings import Timing
from worker.supervision import process_identity
from worker.supervision.clock import uptime
from worker.supervision.side_tasks import JITTER
from worker.supervision.trainer_process import end_group

logger = logging.getLogger(__name__)


class Reaper:
    """Reaps what was lost; any number of workers may do so at once. `reaped` is called where there was something.

    It reaps nothing while leases may have run out because nobody could renew them: an amnesty of one lease follows
    each standstill of this process, of the database or of its clock.
    """

    name = "reaper"

    def __init__(self, database: Database, timing: Timing, reaped: Callable[[], None]) -> None:
        self.database, self.timing, self.reaped = database, timing, reaped
        self.interval = timing.sweep
        self._looked_at = uptime()
        self._amnesty_until = 0.0
        self._clock_offset = math.inf
        """Seconds by which the database's clock was ahead of this process's, when they were last compared."""

    def run(self) -> None:
        try:
            self._reap()
        except DatabaseUnavailable:
            self._grant_amnesty()
            raise
        finally:
            # However long a slow database or a trainer's end took: that is no sleep.
            self._looked_at = uptime()

    def _reap(self) -> None:
        machine = process_identity.machine()
        reaps = self._may_reap(self.timing.sweep * (1 + JITTER))
        with self.database.writing() as tx:
            until = queue.time(tx)
            reaps = self._trusts(until) and reaps
            if reaps:
                queue.expire_dead(tx, machine, process_identity.started)
            overdue = queue.overdue(tx, machine) if reaps else []
        # Once more: the database itself may have stood still, with us waiting for it.
        reaps = reaps and self._may_reap()
        for pid, started in overdue if reaps else []:
            if process_identity.started(pid) == started and not end_group(pid):
                logger.warning("process %d cannot be ended; its job waits for that", pid)
                reaps = False
        if not reaps:
            return
        with self.database.writing() as tx:
            lost = jobs.reap(tx, until)
        for job_id in lost:
            logger.warning("%s: its worker was lost", job_id)
        if lost:
            self.reaped()

    def _may_reap(self, pause: float = 0.0) -> bool:
        """Not while leases may have run out because nobody could renew them.

        `pause` are the seconds that were to pass since this was last asked. Where half a lease more went by, this
        process stood still: frozen, on a machine that slept, or behind a database that gave no answer; and so, perhaps,
        did every other.
        """
        before, self._looked_at = self._looked_at, uptime()
        still = self._looked_at - before - pause
        if still > self.timing.lease / 2:
            logger.warning("nothing is reaped for a while: this worker stood still for %.0f s", still)
            self._grant_amnesty()
        return self._looked_at >= self._amnesty_until

    def _trusts(self, time: float) -> bool:
        """Whether the database's clock went on as this process's did; set forward, it ends leases that are kept."""
        before, self._clock_offset = self._clock_offset, time - uptime()
        if self._clock_offset - before > self.timing.lease / 2:
            logger.warning("nothing is reaped for a while: the database's clock was set forward")
            self._grant_amnesty()
            return False
        return True

    def _grant_amnesty(self) -> None:
        """Everyone gets the time to renew a lease."""
        self._amnesty_until = uptime() + self.timing.lease
