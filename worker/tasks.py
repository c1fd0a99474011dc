"""What a ring sets off."""

import logging
import re
from typing import Any

from models.broker import TASK
from worker import app as celery

logger = logging.getLogger(__name__)


@celery.app.task(name=TASK)
def train(message: dict[str, Any]) -> None:
    """Claim the best queued job, whichever was rung for, and see it through; return at once where there is none."""
    worker = celery.worker
    assert worker is not None, "a task ran before the worker was up"
    slot = worker.free.get()
    try:
        claimed = worker.work(slot)
    finally:
        worker.free.put(slot)
    if not claimed:
        logger.info("nothing to claim for the ring %s", str(message)[:200])
        # Another worker may have what the job needs. Of a message nothing is believed but that this may name a job.
        if (named := re.search(r"job_[0-9a-f]{32}", str(message))) is not None:
            worker.pass_on(named[0])
