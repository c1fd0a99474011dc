"""The supervisor's side of a trainer process: its start, messages, output and end."""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from worker import messages
from worker.messages import LONGEST_LINE, Message

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
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
"""The environment variables that a trainer gets. They contain no key and no address of a database or broker."""

WAITING = 64
"""Messages that may wait for the supervisor. Then the pipe fills up and the trainer waits."""

LAST_WORDS = 5.0
"""Seconds to read a trainer's last messages: a process that left its group may keep the pipes open forever."""

LARGEST_PIPE = 2**20
"""The most bytes that a trainer can leave in a pipe. Source: pipe(7), /proc/sys/fs/pipe-max-size."""


@dataclass(frozen=True)
class Line:
    """A line of the trainer's output."""

    text: str


@dataclass(frozen=True)
class ProtocolViolation:
    """An invalid message."""

    why: str


@dataclass(frozen=True)
class Exit:
    """No process of the trainer's group is left."""

    code: int


Heard = Message | Line | ProtocolViolation | Exit


class TrainerProcess:
    """A trainer that is started in advance. It imports everything and waits for a job.

    `cuda` is its CUDA_VISIBLE_DEVICES; None hides every device.
    """

    def __init__(self, cuda: str | None) -> None:
        reading, writing = os.pipe()
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {
            "CUDA_VISIBLE_DEVICES": cuda or "",
            # Must be set before CUDA starts, so that cuBLAS is deterministic.
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            # Otherwise Arrow's allocator starts a thread before the kernel encloses the main thread.
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
        }
        try:
            self.process = self._start(environment, writing)
        except OSError:
            # For example, there are too many processes. The caller tries again, so file descriptors must not leak.
            os.close(reading)
            raise
        finally:
            os.close(writing)
        # Bounded: while the supervisor cannot write, the trainer waits and does not fill the memory.
        self.inbox: queue.Queue[Heard] = queue.Queue(maxsize=WAITING)
        self.gone = threading.Event()
        """Set when no process of the group is left, so that its device is free."""
        self._closed = threading.Event()
        self._orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        assert self.process.stdout is not None
        self._readers = [
            threading.Thread(target=self._read_messages, args=(os.fdopen(reading, "rb"),), daemon=True),
            threading.Thread(target=self._read_output, args=(BufferedReader(self.process.stdout),), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        for duty in (self._write_orders, self._await_end):
            threading.Thread(target=duty, daemon=True).start()

    def _start(self, environment: dict[str, str], messages: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*COMMAND, str(messages)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(messages,),
            start_new_session=True,
            # A buffer has a lock: closing it would wait for the writing thread.
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def pids(self) -> list[int]:
        """The leaders of its process groups; one today. Killing a group kills all that its leader started."""
        return [self.pid]

    @property
    def is_alive(self) -> bool:
        return not self.gone.is_set()

    def send(self, order: dict[str, Any]) -> None:
        """Send an order without waiting until it is read. If the trainer is gone, its Exit is in the inbox."""
        self._orders.put((json.dumps(order) + "\n").encode())

    def _write_orders(self) -> None:
        """Write the orders on a separate thread: a trainer that does not read must not block its supervisor."""
        assert self.process.stdin is not None
        while left := self._orders.get():
            with suppress(BrokenPipeError, ValueError):
                while left:
                    left = left[self.process.stdin.write(left) :]

    def kill(self) -> None:
        """Send SIGKILL to the whole group without waiting. Its Exit arrives in the inbox."""
        if not self.gone.is_set():
            _kill_group(self.pid)

    def close(self) -> None:
        """Kill the trainer if it still runs, and wait until it is gone. Nothing more is read."""
        self._closed.set()
        self._orders.put(b"")
        self.kill()
        self.gone.wait()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def _hear(self, what: Heard) -> None:
        while not self._closed.is_set():
            with suppress(queue.Full):
                return self.inbox.put(what, timeout=0.5)

    def _lines(self, pipe: BinaryIO, longest: int) -> Iterator[bytes]:
        """Yield the lines of a pipe. After the group is gone, stop after as many bytes as a pipe can hold."""
        left = LARGEST_PIPE
        with pipe:
            while left > 0:
                is_late = self.gone.is_set()
                line = pipe.readline(longest)
                if not line:
                    return
                left -= len(line) if is_late else 0
                yield line

    def _read_messages(self, pipe: BinaryIO) -> None:
        for line in self._lines(pipe, LONGEST_LINE):
            try:
                self._hear(messages.read(line))
            except messages.ProtocolError as error:
                return self._hear(ProtocolViolation(str(error)))

    def _read_output(self, pipe: BinaryIO) -> None:
        for line in self._lines(pipe, 4096):
            self._hear(Line(line.decode(errors="replace").rstrip("\n")))

    def _await_end(self) -> None:
        self._await_exit()
        while not end_group(self.pid):
            logger.warning("processes of group %d still run, or cannot be seen; waiting for their end", self.pid)
        self.gone.set()
        code = self.process.wait()
        self._await_last_words()
        self._hear(Exit(code))

    def _await_exit(self) -> None:
        # The leader is not reaped yet, so the group's number cannot be reused.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def _await_last_words(self) -> None:
        """Wait until all output is read, since Exit must come last. While the inbox is full, readers cannot read."""
        left = LAST_WORDS
        for reader in self._readers:
            while reader.is_alive() and left > 0 and not self._closed.is_set():
                reader.join(0.05)
                # Count the time. A clock would continue while this process is suspended.
                left -= 0.0 if self.inbox.full() else 0.05


def end_group(group: int, patience: float = 5.0) -> bool:
    """Kill every process of a group and wait until none runs. False if one still runs after `patience` seconds.

    A process that waits for a device or a network disk dies only when the device answers.
    """
    _kill_group(group)
    until = time.monotonic() + patience
    while _is_alive(group):
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _kill_group(group: int) -> None:
    # Some systems raise PermissionError if all processes of the group are zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _is_alive(group: int) -> bool:
    """Whether any process of the group runs, or may run. A zombie holds no resources, so it does not count."""
    try:
        for pid in psutil.pids():
            # A process whose group cannot be read is not of this group.
            with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                if os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    return True
    except (OSError, psutil.Error):
        # For example, this process has too many open files. The caller tries again.
        return True
    return False
