"""The lease, kept by a heartbeat on a thread of its own, so that no long write lets it run out."""

import logging
import threading

from models.records import jobs
from models.records.database import Database, DatabaseUnavailable
from models.settings import Timing

logger = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """Beats until stopped. `desired` is what the user wants by the last beat; `lost` is set once the lease is lost."""

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
                # Nobody else can claim either while the database is unavailable: train on, and ask again.
                logger.warning("%s: the database is unavailable (%s)", self.job_id, error)
            except Exception:
                # A thread that ends costs the job its lease.
                logger.exception("%s: a heartbeat failed; the next one tries again", self.job_id)

    def end(self) -> None:
        self._ended.set()
        if self.is_alive():
            # Not for longer than its word counts: the database may be standing still in the middle of an answer.
            self.join(self.timing.lease)
