"""The embedded worker: a process beside the API, which is restarted when it dies."""

import logging
import signal
import subprocess
import sys
import threading
from pathlib import Path

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
PAUSE = 1.0
"""Seconds before a restart. Without it, a worker that cannot start would keep a processor busy."""


class WorkerProcess:
    """Keeps a worker with `slots` slots running from `start` to `stop`: it is restarted when it dies."""

    def __init__(self, slots: int) -> None:
        self._command = [sys.executable, "-m", "worker.local", "--watch-parent", "--slots", str(slots)]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker-process")
        self._worker: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send SIGTERM, so that the worker writes the checkpoints of its jobs, and wait for its end."""
        with self._lock:
            self._stopping.set()
            if self._worker is not None:
                self._worker.send_signal(signal.SIGTERM)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            end = self._run_once()
            if not self._stopping.wait(PAUSE):
                logger.warning("the worker %s; it is started again", end)

    def _run_once(self) -> str:
        """Start a worker and wait for its end. Returns how it ended."""
        with self._lock:
            if self._stopping.is_set():
                return "was not started"
            try:
                self._worker = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE)
            except OSError as error:  # temporary: no memory, or too many processes
                return f"could not be started ({error})"
        code = self._worker.wait()
        if self._worker.stdin is not None:
            self._worker.stdin.close()
        return f"ended with code {code}"
