"""The broker: rings for workers by Celery messages. A ring is only a hint, since the jobs table is the queue.

A ring may be lost, repeated, late or forged without harm: a worker that hears one claims the first queued job, if any.
"""

import logging
import time

from celery import Celery
from kombu.exceptions import OperationalError

from models.settings import Settings

TASK = "worker.tasks.train"
QUIET = 5.0
"""Seconds without rings after one failed: if Redis hangs, each ring would block a thread of the API for seconds."""

logger = logging.getLogger(__name__)


class Broker:
    """Rings over Redis. Without Redis it does nothing: local workers poll the table."""

    def __init__(self, settings: Settings) -> None:
        self._celery = producer(settings.redis_url) if settings.redis_url else None
        if self._celery is not None:
            # No request waits for the broker to come back, which it would for seconds: a sweep rings again.
            self._celery.conf.broker_transport_options |= {"max_retries": 0, "socket_timeout": 2}
        self._quiet_until = 0.0

    def ring(self, job_id: str) -> bool:
        """Wake a worker. False if the broker is unavailable; then a worker's sweep rings later."""
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
        """Raises OSError if the broker does not answer."""
        if self._celery is None:
            return
        try:
            with self._celery.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=2)
        except OperationalError as error:
            raise OSError("Redis does not answer") from error


def producer(redis_url: str) -> Celery:
    """A Celery application that uses only JSON, keeps no results and obeys no remote control."""
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
