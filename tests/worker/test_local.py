"""The embedded worker's process: it ends when it is told to."""

import subprocess
import sys

SIGNAL_TO_A_THREAD = """
import signal
import threading
import time
from typing import Any, cast

from worker import local


class Idle:
    slots = [object()]
    is_draining = False

    def drain(self):
        self.is_draining = True

    def open(self):
        threading.Thread(target=stop, daemon=True).start()

    def work(self, slot):
        return False

    def pause(self):
        time.sleep(0.05)

    def close(self):
        print("closed")


def stop():
    time.sleep(0.5)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(60)


local.serve(cast(Any, Idle()), watches_parent=False)
"""


def test_a_signal_that_another_thread_gets_is_heeded() -> None:
    """The kernel may give a process's signal to any of its threads; Python's handlers run in the main one."""
    ran = subprocess.run(
        [sys.executable, "-c", SIGNAL_TO_A_THREAD], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "closed\n"), ran.stderr
