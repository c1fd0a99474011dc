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
        self._command = [sys.executable, "-m", "worker.local", "--watch-parent", "--slots", str(slots)]
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
        if self._thread.ident is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            end = self._run()
            if not self._stopping.wait(PAUSE):
                logger.warning("the worker %s and is started again", end)

    def _run(self) -> str:
        """A worker's life. Returns how it ended."""
        with self._lock:
            if self._stopping.is_set():
                return "was not wanted"
            try:
                self._worker = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE)
            except OSError as error:  # no memory or no process left, for now
                return f"could not be started ({error})"
        code = self._worker.wait()
        if self._worker.stdin is not None:
            self._worker.stdin.close()
        return f"ended with code {code}"
