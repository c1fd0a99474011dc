"""How a trainer's process starts: forked from a warm parent, or as a program of its own."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from athanor.processes import privileges

ROOT = Path(__file__).resolve().parents[2]
COMMAND: tuple[str, ...] = (sys.executable, "-m", "worker.trainer")
PARENT_COMMAND: tuple[str, ...] = (sys.executable, "-m", "worker.trainer_parent")
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
"""The environment variables that a trainer gets. They contain no key and no address of a database or broker."""

PATIENCE = 60.0
"""Seconds for a fork. The first one waits for the imports of the parent, on a machine that may be busy."""
GLANCE = 0.5
"""Seconds between two looks at whether the worker ends meanwhile."""
FORKS = sys.platform == "linux"
"""Elsewhere, a fork of a process that has loaded the system's libraries is not safe."""
LAST = 10.0
"""Seconds for the parent to end."""


class Pipes(NamedTuple):
    """The trainer's ends of its pipes, as file descriptors."""

    orders: int
    output: int
    messages: int


class Started(NamedTuple):
    """A trainer's process, a child of this one, and the leader of its process group and session."""

    pid: int
    wait: Callable[[], int]
    """Waits for its end and returns its exit code. Until then, nobody else gets its number."""


StartTrainer = Callable[[str | None, Pipes], Started]
"""Starts a trainer. Arguments: its CUDA_VISIBLE_DEVICES (None: no device), and its pipes. Raises OSError."""


def spawn(cuda: str | None, pipes: Pipes) -> Started:
    """Start a trainer as a program of its own, which takes seconds for its imports."""
    process = subprocess.Popen(
        [*COMMAND, str(pipes.messages)],
        cwd=ROOT,
        env=_environment() | _devices(cuda),
        stdin=pipes.orders,
        stdout=pipes.output,
        stderr=pipes.output,
        pass_fds=(pipes.messages,),
        start_new_session=True,
    )
    return Started(process.pid, process.wait)


class TrainerParent:
    """The warm parent of this worker's trainers, see `worker.trainer_parent`. It starts again if it has died.

    `athanor.processes.warm` keeps the children that it forks, and they end with it. This one gives them to the worker,
    which must be their parent to know that a trainer's number is still the trainer's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._is_closed = False

    def start(self) -> None:
        """Start it in advance, without waiting for its imports."""
        with self._lock:
            self._running()

    def fork(self, cuda: str | None, pipes: Pipes) -> Started:
        """Start a trainer. Raises OSError, also if the parent cannot import what a training needs."""
        with self._lock:
            orders = self._running()
            answer = b""
            with suppress(BrokenPipeError, ConnectionResetError):
                socket.send_fds(orders, [json.dumps(_devices(cuda)).encode()], [*pipes])
                answer = self._await_answer(orders)
            if not answer:
                self._end()
                raise OSError("the warm parent of the trainers died, or took too long; the worker's log may say why")
            if not (pid := int(answer)):
                raise OSError("the warm parent of the trainers could not fork; the worker's log has the reason")
        return Started(pid, lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    def _await_answer(self, orders: socket.socket) -> bytes:
        """The answer to an order; b"" if it takes too long, or if this parent is to end."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self._is_closed:
            with suppress(TimeoutError):
                return orders.recv(32)
        return b""

    def end_soon(self) -> None:
        """Fork no more. A fork that waits for the imports gives up."""
        self._is_closed = True

    def close(self) -> None:
        """End it for good. The trainers that it has forked go on."""
        self._is_closed = True
        # Before the lock: a fork may hold it until the imports are done.
        if (process := self._process) is not None:
            process.kill()
        with self._lock:
            self._end()

    def _running(self) -> socket.socket:
        if self._is_closed:
            raise OSError("the worker ends")
        if self._orders is not None and self._process is not None and self._process.poll() is None:
            return self._orders
        self._end()
        privileges.adopt_orphans()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(GLANCE)
        with theirs:
            self._process = subprocess.Popen(
                [*PARENT_COMMAND, str(theirs.fileno())],
                cwd=ROOT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._orders = ours
        return ours

    def _end(self) -> None:
        if self._orders is not None:
            self._orders.close()
        if self._process is not None:
            # It has nothing to put away, and may be at its imports still.
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LAST)
        self._orders = self._process = None


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | {
        # A process with a second thread cannot fork safely. The trainer sets the number of PyTorch's threads.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # A thread that waits for the others of a computation yields its processor after some 50 µs. By default it spins
        # for milliseconds: then one busy neighbor makes a training with two threads ten times slower.
        "GOMP_SPINCOUNT": "10000",
        # Otherwise Arrow's allocator starts a thread before the kernel encloses the main thread.
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "PYTHONUNBUFFERED": "1",
    }


def _devices(cuda: str | None) -> dict[str, str]:
    # CUBLAS_WORKSPACE_CONFIG must be set before CUDA starts, so that cuBLAS is deterministic.
    return {"CUDA_VISIBLE_DEVICES": cuda or "", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
