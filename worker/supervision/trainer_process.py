"""The trainer as its supervisor sees it: a child process, its messages, its output, its end."""

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
"""All a trainer learns of this process's environment: no key, no address of a database or broker."""

WAITING = 64
"""Messages that wait for the supervisor; then the trainer waits, its pipe being full."""

LAST_WORDS = 5.0
"""Seconds for what a trainer said before its end to be read: who left its group may hold the pipes open for ever."""

LARGEST_PIPE = 2**20
"""Bytes that a trainer can have left behind in a pipe. Source: pipe(7), /proc/sys/fs/pipe-max-size."""


@dataclass(frozen=True)
class Line:
    """A line of the trainer's output."""

    text: str


@dataclass(frozen=True)
class ProtocolViolation:
    """Something that no trainer says."""

    why: str


@dataclass(frozen=True)
class Exit:
    """No process of the trainer's group is left."""

    code: int


Heard = Message | Line | ProtocolViolation | Exit


class TrainerProcess:
    """A trainer, started ahead of time. It waits warm until the job is sent to it.

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
            # Else Arrow's allocator starts a thread, before the kernel is asked to hold the only one there is.
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
        }
        try:
            self.process = subprocess.Popen(
                [*COMMAND, str(writing)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                start_new_session=True,
                # A buffer has a lock, and whoever closes it waits for whoever writes.
                bufsize=0,
            )
        except OSError:
            # As where there are too many processes. It is tried again and again, and must not use up the files as well.
            os.close(reading)
            raise
        finally:
            os.close(writing)
        # Bounded: a supervisor that cannot write makes the trainer wait rather than fill the memory.
        self.inbox: queue.Queue[Heard] = queue.Queue(maxsize=WAITING)
        self.gone = threading.Event()
        """Set once no process of the group is left, and so nothing on a device."""
        self._forsaken = threading.Event()
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

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def pids(self) -> list[int]:
        """The leaders of its process groups: one today. To end a group is to end all that its leader started."""
        return [self.pid]

    @property
    def is_alive(self) -> bool:
        return not self.gone.is_set()

    def send(self, order: dict[str, Any]) -> None:
        """Give an order, without waiting for it to be heard. Of a trainer that is gone, the end is in the inbox."""
        self._orders.put((json.dumps(order) + "\n").encode())

    def _write_orders(self) -> None:
        """On a thread of its own: a trainer that does not listen must not stop its supervisor."""
        assert self.process.stdin is not None
        while left := self._orders.get():
            with suppress(BrokenPipeError, ValueError):
                while left:
                    left = left[self.process.stdin.write(left) :]

    def kill(self) -> None:
        """SIGKILL to the whole group, without waiting. Its end is heard like any other's."""
        if not self.gone.is_set():
            _kill_group(self.pid)

    def close(self) -> None:
        """See that it is gone, at once if need be, and listen no more."""
        self._forsaken.set()
        self._orders.put(b"")
        self.kill()
        self.gone.wait()
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def _hear(self, what: Heard) -> None:
        while not self._forsaken.is_set():
            with suppress(queue.Full):
                return self.inbox.put(what, timeout=0.5)

    def _lines(self, pipe: BinaryIO, longest: int) -> Iterator[bytes]:
        """What comes through a pipe; once the group is gone, no more than it can have left there."""
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
        # Until its leader is buried, the group's number stays its own.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        while not end_group(self.pid):
            logger.warning("processes of group %d are left, or cannot be seen; its end is waited for", self.pid)
        self.gone.set()
        code = self.process.wait()
        self._await_last_words()
        self._hear(Exit(code))

    def _await_last_words(self) -> None:
        """The end must not overtake them. While the supervisor takes nothing in, the readers can read nothing."""
        left = LAST_WORDS
        for reader in self._readers:
            while reader.is_alive() and left > 0 and not self._forsaken.is_set():
                reader.join(0.05)
                # Not by the clock, which goes on while this process stands still.
                left -= 0.0 if self.inbox.full() else 0.05


def end_group(group: int, patience: float = 5.0) -> bool:
    """Kill every process of a group and wait until none runs; False where one still does after `patience` seconds.

    A process that waits for a device or a network disk cannot die before that answers.
    """
    _kill_group(group)
    until = time.monotonic() + patience
    while _is_alive(group):
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _kill_group(group: int) -> None:
    # Some systems call it forbidden where all of the group wait to be buried.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _is_alive(group: int) -> bool:
    """Whether any process of the group still runs, or may. One that waits to be buried has let go of everything."""
    try:
        for pid in psutil.pids():
            # What may not even be asked for its group is of no group of ours.
            with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                if os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    return True
    except (OSError, psutil.Error):
        # As when this process has too many files open: to be looked at again.
        return True
    return False
