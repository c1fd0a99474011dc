"""The Celery application: `celery -A worker.app worker`. It receives rings; the jobs table says what is to be done.

Messages are JSON, acknowledged early and not prefetched; there are no results and no remote control. Whatever happens
to a message, the lease in the table decides which worker trains a job.
"""

import signal
from typing import Any

from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down

from athanor.processes.parent_watch import heed_hangup
from athanor.processes.private_files import keep_private
from models.broker import producer
from models.settings import Settings
from worker.supervision.devices import visible
from worker.supervision.worker import Worker

settings = Settings()
app = producer(settings.redis_url or "redis://127.0.0.1:6379/0")
app.conf.update(
    imports=("worker.tasks",),
    worker_pool="threads",
    worker_concurrency=len(visible()),
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    task_acks_late=False,
    # Otherwise it gives up after a hundred attempts, about three quarters of an hour.
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
)

worker: Worker | None = None
on_hangup: Any = signal.SIG_DFL


@worker_init.connect
def _open(sender: Any, **_: Any) -> None:
    global worker, on_hangup  # Celery calls back by signal; there is no object of ours to carry them
    keep_private()
    heed_hangup()
    on_hangup = signal.getsignal(signal.SIGHUP)
    worker = Worker(settings, "celery", sender.concurrency)
    worker.open()


@worker_ready.connect
def _heed_hangup(**_: Any) -> None:
    # Without a terminal, Celery restarts itself on SIGHUP, under nohup too, and trainers would not be told.
    signal.signal(signal.SIGHUP, on_hangup)


@worker_shutting_down.connect
def _drain(**_: Any) -> None:
    if worker is not None:
        worker.drain()


@worker_shutdown.connect
def _close(**_: Any) -> None:
    if worker is not None:
        worker.close()
