"""`python -m worker.local`: the embedded worker. It polls the jobs table and needs no broker."""

import argparse
import logging
import os
import signal
import sys
import threading

from athanor.processes.parent_watch import heed_hangup
from athanor.processes.private_files import keep_private
from models.records.database import DatabaseUnavailable
from models.settings import Settings
from worker.supervision.slots import Slot
from worker.supervision.worker import Worker

logger = logging.getLogger(__name__)

WAKE = 0.5
"""Seconds after which the main thread wakes to run signal handlers."""


def serve(worker: Worker, watches_parent: bool) -> None:
    """Run jobs until SIGTERM, SIGINT, SIGHUP or, if `watches_parent`, until standard input closes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.drain())
    heed_hangup()
    worker.open()
    if watches_parent:
        threading.Thread(target=_watch_parent, args=(worker,), daemon=True).start()
    threads = [threading.Thread(target=_poll, args=(worker, slot)) for slot in worker.slots]
    for thread in threads:
        thread.start()
    # The main thread wakes regularly: the kernel may deliver a signal to any thread, but Python runs the handler here.
    for thread in threads:
        while thread.is_alive():
            thread.join(WAKE)
    worker.close()


def _poll(worker: Worker, slot: Slot) -> None:
    while not worker.is_draining:
        try:
            busy = worker.work(slot)
        except DatabaseUnavailable as error:
            logger.warning("the database is unavailable (%s)", error)
            busy = False
        except Exception:
            # The slot's thread must survive a failed attempt.
            logger.exception("an attempt failed outside its supervisor")
            busy = False
        if not busy:
            worker.pause()


def _watch_parent(worker: Worker) -> None:
    while os.read(0, 4096):
        pass
    worker.drain()


def main() -> None:
    parser = argparse.ArgumentParser(prog="athanor worker", description="Claim queued jobs and train them.")
    parser.add_argument("--slots", type=int, default=1, help="jobs that train at once; with CUDA, one per device")
    parser.add_argument("--watch-parent", action="store_true", help="stop when standard input closes")
    chosen = parser.parse_args()
    keep_private()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s worker: %(message)s")
    serve(Worker(Settings(), "local", chosen.slots), chosen.watch_parent)


if __name__ == "__main__":
    main()
