"""The embedded worker: a process beside the API, started again whenever it dies."""

import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
PAUSE = 1.0
"""Seconds before a worker that died is started again: one that cannot start must not take the machine."""


class Keeper:
    """Keeps a worker with so many slots, from `start` to `stop`."""

    def __init__(self, slots: int) -> None:
        self._command = [sys.executable, "-m", "worker.local", "--leashed", "--slots", str(slots)]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper")
        self._worker: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Drain the worker, and wait for its end."""
        with self._lock:
            self._stopping.set()
            if self._worker is not None:
                self._worker.send_signal(signal.SIGTERM)
        self._thread.join()

    def _keep(self) -> None:
        while True:
            with self._lock:
                if self._stopping.is_set():
                    return
                self._worker = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE)
            code = self._worker.wait()
            if self._worker.stdin is not None:
                self._worker.stdin.close()
            if not self._stopping.wait(PAUSE):
                logger.warning("the worker ended with code %d and is started again", code)
