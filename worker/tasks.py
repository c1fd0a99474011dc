"""The Celery task that a ring starts."""

import logging
import re
from typing import Any

from models.broker import TASK
from worker import app as celery

logger = logging.getLogger(__name__)


@celery.app.task(name=TASK)
def train(message: dict[str, Any]) -> None:
    """Run queued jobs until there is none, whatever job was rung for.

    A message takes up to a second to arrive at a worker that was busy, so the next job does not wait for its own.
    """
    worker = celery.worker
    assert worker is not None, "a task ran before the worker was up"
    slot, claimed = worker.free.get(), False
    try:
        while worker.work(slot):
            claimed = True
    finally:
        worker.free.put(slot)
    if not claimed:
        logger.info("nothing to claim for the ring %s", str(message)[:200])
        # Another worker may have what the job needs. Nothing in the message is trusted except the form of an id.
        if (named := re.search(r"job_[0-9a-f]{32}", str(message))) is not None:
            worker.pass_on(named[0])
