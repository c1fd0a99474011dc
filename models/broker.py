"""Ringing a worker: Celery as a producer, by task name. A ring is a hint; the table is the queue.

A ring may be lost, doubled, late or forged without harm: whoever hears it claims the best queued job, or none.
"""

import logging
import time

from celery import Celery
from kombu.exceptions import OperationalError

from models.settings import Settings

TASK = "worker.tasks.train"
QUIET = 5.0
"""Seconds without a ring after one in vain: where Redis stands still, each takes seconds, and a thread of the API."""

logger = logging.getLogger(__name__)


class Broker:
    """Rings by Redis, or not at all: local workers look at the table themselves."""

    def __init__(self, settings: Settings) -> None:
        self._celery = producer(settings.redis_url) if settings.redis_url else None
        if self._celery is not None:
            # No request waits for the broker to come back, which it would for seconds: a sweep rings again.
            self._celery.conf.broker_transport_options |= {"max_retries": 0, "socket_timeout": 2}
        self._quiet_until = 0.0

    def ring(self, job_id: str) -> bool:
        """Wake a worker. False when the broker is away: the sweep of any worker rings later."""
        if self._celery is None or time.monotonic() < self._quiet_until:
            return False
        try:
            self._celery.send_task(TASK, kwargs={"message": {"v": 1, "job_id": job_id}}, retry=False)
        except OperationalError as error:
            logger.warning("the broker is away (%s); %s waits for a sweep", type(error).__name__, job_id)
            self._quiet_until = time.monotonic() + QUIET
            return False
        return True

    def check(self) -> None:
        """Raises OSError when the broker does not answer."""
        if self._celery is None:
            return
        try:
            with self._celery.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=2)
        except OperationalError as error:
            raise OSError("Redis does not answer") from error


def producer(redis_url: str) -> Celery:
    """A Celery that speaks JSON alone, keeps no results and takes no remote orders."""
    celery = Celery("athanor", broker=redis_url)
    celery.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue="athanor",
        broker_connection_retry_on_startup=True,
        broker_transport_options={"socket_connect_timeout": 2, "socket_timeout": 30},
        worker_enable_remote_control=False,
        worker_send_task_events=False,
    )
    return celery
