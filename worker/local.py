"""`python -m worker.local`: the embedded worker. The supervisor is Celery's too; it needs no broker."""

import argparse
import logging
import os
import signal
import sys
import threading

from athanor.processes.parent_watch import heed_hangup
from models.records.database import DatabaseUnavailable
from models.settings import Settings
from worker.supervision.worker import Slot, Worker

logger = logging.getLogger(__name__)


def serve(station: Worker, leashed: bool) -> None:
    """Work until SIGTERM, SIGINT, SIGHUP or, on a leash, the end of standard input."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: station.drain())
    heed_hangup()
    station.open()
    if leashed:
        threading.Thread(target=_watch, args=(station,), daemon=True).start()
    threads = [threading.Thread(target=_poll, args=(station, slot)) for slot in station.all_slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    station.close()


def _poll(station: Worker, slot: Slot) -> None:
    while not station.is_draining:
        try:
            busy = station.work(slot)
        except DatabaseUnavailable as error:
            logger.warning("the database is away (%s)", error)
            busy = False
        except Exception:
            # One attempt's trouble must not cost the slot its thread.
            logger.exception("an attempt failed outside its supervisor")
            busy = False
        if not busy:
            station.pause()


def _watch(station: Worker) -> None:
    while os.read(0, 4096):
        pass
    station.drain()


def main() -> None:
    parser = argparse.ArgumentParser(prog="athanor worker", description="Claim jobs from the table and train them.")
    parser.add_argument("--slots", type=int, default=1, help="jobs at once on a processor; with CUDA, one a device")
    parser.add_argument("--leashed", action="store_true", help="end when standard input does")
    chosen = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s worker: %(message)s")
    serve(Worker(Settings(), "local", chosen.slots), chosen.leashed)


if __name__ == "__main__":
    main()
