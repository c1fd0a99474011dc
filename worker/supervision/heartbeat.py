"""The heartbeat of an attempt. It renews the lease on its own thread, so the lease does not expire in a long write."""

import logging
import threading

from models.records import jobs
from models.records.database import Database, DatabaseUnavailable
from models.settings import Timing

logger = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """Renews the lease until `end`. `desired` is what the user wants; `lost` is set when the lease is lost."""

    def __init__(self, database: Database, timing: Timing, job_id: str, attempt: int) -> None:
        super().__init__(name=f"heartbeat-{job_id}", daemon=True)
        self.database, self.timing, self.job_id, self.attempt = database, timing, job_id, attempt
        self.desired = "run"
        self.lost = threading.Event()
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self.timing.heartbeat):
            try:
                with self.database.writing() as tx:
                    self.desired = jobs.beat(tx, self.job_id, self.attempt, self.timing.lease)
            except jobs.LeaseLost:
                self.lost.set()
                return
            except DatabaseUnavailable as error:
                # While the database is unavailable, nobody else can claim the job: continue and try again.
                logger.warning("%s: the database is unavailable (%s)", self.job_id, error)
            except Exception:
                # The thread must not end, or the job would lose its lease.
                logger.exception("%s: a heartbeat failed; the next one tries again", self.job_id)

    def end(self) -> None:
        self._ended.set()
        if self.is_alive():
            # Wait at most for the time of one lease: the database may hang in the middle of an answer.
            self.join(self.timing.lease)
