"""The trainer as its supervisor sees it: a child process, its messages, its output, its end."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import psutil

ROOT = Path(__file__).resolve().parents[1]
LONGEST_LINE = 64 * 2**20
COMMAND: tuple[str, ...] = (sys.executable, "-m", "worker.trainer")
PASSED_ON: tuple[str, ...] = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "NVIDIA_VISIBLE_DEVICES",
)
"""All a trainer learns of this process's environment: no key, no address of a database or broker."""

Message = dict[str, Any]


class TrainerProcess:
    """A trainer, started ahead of time. It waits warm until `assign`.

    `cuda` is what CUDA_VISIBLE_DEVICES says there; None hides every device.
    """

    def __init__(self, cuda: str | None) -> None:
        reading, writing = os.pipe()
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {
            "CUDA_VISIBLE_DEVICES": cuda or "",
            # Must be there before CUDA starts, for cuBLAS to give the same bits twice.
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [*COMMAND, str(writing)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        # Bounded: a supervisor that cannot write makes the trainer wait rather than fill the memory.
        self.inbox: queue.Queue[Message] = queue.Queue(maxsize=1000)
        assert self.process.stdout is not None
        self._readers = [
            threading.Thread(target=self._read_messages, args=(os.fdopen(reading, "rb"),), daemon=True),
            threading.Thread(target=self._read_output, args=(self.process.stdout,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.gone = threading.Event()
        """Set once no process of the group is left, and so nothing on a device."""
        threading.Thread(target=self._await_end, daemon=True).start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        return not self.gone.is_set()

    def send(self, message: Message) -> None:
        """Give an order. A trainer that is gone does not hear it; its end is in the inbox."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write((json.dumps(message) + "\n").encode())
            self.process.stdin.flush()

    def kill(self) -> None:
        """End the whole process group at once, and wait until it is gone."""
        if not self.gone.is_set():
            _kill_group(self.pid)
        self.gone.wait()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def _read_messages(self, pipe: BinaryIO) -> None:
        with pipe:
            while line := pipe.readline(LONGEST_LINE):
                self.inbox.put(json.loads(line))

    def _read_output(self, pipe: BinaryIO) -> None:
        with pipe:
            while line := pipe.readline(4096):
                self.inbox.put({"type": "log", "line": line.decode(errors="replace").rstrip("\n")})

    def _await_end(self) -> None:
        # Whoever is left of the group would hold the pipes open. Until its leader is buried, the number stays its own.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        end_group(self.pid)
        code = self.process.wait()
        self.gone.set()
        for reader in self._readers:
            reader.join()
        self.inbox.put({"type": "exit", "code": code})


def end_group(group: int) -> None:
    """Kill every process of a group, and wait until none of them runs."""
    _kill_group(group)
    while _is_alive(group):
        time.sleep(0.002)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _is_alive(group: int) -> bool:
    """Whether any process of the group still runs. One that waits to be buried has let go of everything."""
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False
