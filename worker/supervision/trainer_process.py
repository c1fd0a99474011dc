"""The supervisor's side of a trainer process: its start, messages, output and end."""

import json
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import psutil

from worker import messages
from worker.messages import LONGEST_LINE, Message
from worker.supervision.trainer_start import Pipes, StartTrainer

logger = logging.getLogger(__name__)

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
    """A trainer that is started in advance. It has imported everything and waits for a job.

    `cuda` is its CUDA_VISIBLE_DEVICES; None hides every device. Raises OSError, for example if there are too many
    processes. The caller tries again.
    """

    def __init__(self, cuda: str | None, start: StartTrainer) -> None:
        ends: list[int] = []
        try:
            for _ in range(3):
                ends += os.pipe()
            orders, sent, said, output, heard, told = ends
            self.pid, self._wait = start(cuda, Pipes(orders, output, told))
        except BaseException:
            for end in ends:
                os.close(end)
            raise
        for end in (orders, output, told):
            os.close(end)
        # Without a buffer, which has a lock: closing it would wait for the writing thread.
        self._stdin = os.fdopen(sent, "wb", buffering=0)
        # Bounded: while the supervisor cannot write, the trainer waits and does not fill the memory.
        self.inbox: queue.Queue[Heard] = queue.Queue(maxsize=WAITING)
        self.gone = threading.Event()
        """Set when no process of the group is left, so that its device is free."""
        self._closed = threading.Event()
        self._orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._readers = [
            threading.Thread(target=self._read_messages, args=(os.fdopen(heard, "rb"),), daemon=True),
            threading.Thread(target=self._read_output, args=(os.fdopen(said, "rb"),), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        for duty in (self._write_orders, self._await_end):
            threading.Thread(target=duty, daemon=True).start()

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
        while left := self._orders.get():
            with suppress(BrokenPipeError, ValueError):
                while left:
                    left = left[self._stdin.write(left) :]

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
        with suppress(BrokenPipeError):
            self._stdin.close()

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
        code = self._wait()
        _bury(self.pid)
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


def _bury(group: int) -> None:
    """Take the exit codes of the group's orphans: where this process adopts them, they would stay in its table."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass


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
