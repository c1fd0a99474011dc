"""A warm parent: a process that has imported what its children need. It forks them, which takes milliseconds."""

import gc
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

from athanor.processes import confinement, privileges
from athanor.processes.child import NICENESS, obey

LONGEST_ORDER = 2**17
PIPES = 3
"""A child's standard input, output and errors."""
PATIENCE = 10.0
"""Seconds for a warm parent to end. It ends after its imports at the latest."""
HUNG, IMPORTS = 30.0, 300.0
"""Seconds for a warm parent to kill a child, and before that for its imports. One that takes longer is killed."""
READY = b"ready"
"""What a warm parent says when it has imported everything."""


@dataclass(frozen=True)
class Incarnation:
    """One process of a warm parent, which may be replaced by another."""

    process: subprocess.Popen[bytes]
    orders: socket.socket

    def end_unless(self, answers: threading.Event) -> None:
        """Wait until it `answers`, for a bounded time after its imports; then kill it, and with it its children."""
        with suppress(OSError, ValueError):
            # What it says when it is ready is never taken from the socket, so that all can see it.
            select.select([self.orders], [], [], IMPORTS)
        if not answers.wait(HUNG):
            self.process.kill()


class WarmParent:
    """Starts a process with `modules` at the first fork, and again if it has died. It ends with this process.

    It has no secrets, works on no input of strangers, and has a single thread, so its forks are safe.
    """

    def __init__(self, *modules: str) -> None:
        self.modules = modules
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._has_forked = False

    def start(self) -> None:
        """Start the process in advance, without waiting for its imports."""
        with self._lock:
            self._running()

    def fork(self, order: dict[str, Any], pipes: Sequence[int]) -> tuple[socket.socket, "Incarnation"]:
        """Fork a child with these three pipes. It carries out `order` (see child.py).

        Returns its line: the exit code arrives there as text. When the line is closed, the child's group is killed.
        Returns also the process that has to do this, since it may hang.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._lock:
            message = json.dumps(order).encode()
            assert len(message) < LONGEST_ORDER
            try:
                socket.send_fds(self._running(), [message], [*pipes, theirs.fileno()])
            except (BrokenPipeError, ConnectionResetError):
                self._end()
                socket.send_fds(self._running(), [message], [*pipes, theirs.fileno()])
            self._has_forked = True
            assert self._process is not None and self._orders is not None
            return ours, Incarnation(self._process, self._orders)

    def close(self) -> None:
        """End the process, and with it its children."""
        with self._lock:
            self._end()

    def _running(self) -> socket.socket:
        if self._process is None or self._process.poll() is not None or self._orders is None:
            self._end()
            self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                command = [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), *self.modules]
                environment = confinement.environment("/nonexistent") | {"CUDA_VISIBLE_DEVICES": ""}
                self._process = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    process_group=0,
                )
        return self._orders

    def _end(self) -> None:
        if self._orders is not None:
            self._orders.close()
        if self._process is not None:
            if not self._has_forked:
                # It may be at its imports still, and has no child that it would have to end.
                self._process.kill()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._orders = self._process = None
        self._has_forked = False


def serve(orders: socket.socket) -> None:
    """Fork a child for each order that arrives, until the sender is gone.

    Children are watched by descriptors, never by a number that another process could have by now.
    """
    here, watched = os.getpid(), selectors.DefaultSelector()
    watched.register(orders, selectors.EVENT_READ)
    lines: dict[int, socket.socket] = {}
    """By process id. A child that has ended keeps its number until it is taken from here."""
    while True:
        for key, _ in watched.select():
            if key.data is None:
                message, pipes = b"", list[int]()
                # The sender never takes READY from its socket, so its end looks like a broken connection.
                with suppress(ConnectionResetError):
                    message, pipes, _, _ = socket.recv_fds(orders, LONGEST_ORDER, PIPES + 1)
                if not message:
                    for pid in lines:
                        _kill(pid)
                    return
                line = socket.socket(fileno=pipes.pop())
                try:
                    pid = os.fork()
                except OSError:
                    line.close()
                else:
                    if pid == 0:
                        _become(json.loads(message), pipes, here)
                    with suppress(ProcessLookupError, PermissionError):
                        # The child does so, too. Whoever is first makes the group that `_kill` needs.
                        os.setpgid(pid, pid)
                    lines[pid] = line
                    watched.register(line, selectors.EVENT_READ, pid)
                    watched.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
                for pipe in pipes:
                    os.close(pipe)
            elif key.data in lines:
                pid = key.data
                _kill(pid)
                watched.unregister(key.fileobj)
                if isinstance(key.fileobj, int):
                    os.close(key.fileobj)
                    _tell(lines.pop(pid), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), watched)


def _tell(line: socket.socket, code: int, watched: selectors.BaseSelector) -> None:
    """Send the exit code, if somebody still waits for it."""
    with suppress(KeyError):
        watched.unregister(line)
    with line, suppress(OSError):
        line.send(str(code).encode())


def _become(order: dict[str, Any], pipes: Sequence[int], parent: int) -> NoReturn:
    """In the fork: be as a process of its own."""
    try:
        privileges.end_with_parent(parent)
        os.setpgid(0, 0)
        for place, pipe in enumerate(pipes):
            os.dup2(pipe, place)
        os.closerange(PIPES, os.sysconf("SC_OPEN_MAX"))
        os.environ.update(order["environment"])
        # A module of the warm parent may have asked for it.
        tempfile.tempdir = None
        os.chdir(order["folder"])
        obey(order)
    finally:
        # Whatever fails: the loop of the warm parent must not run here.
        os._exit(1)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def main() -> None:
    """The warm parent itself."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    os.nice(NICENESS)
    # Imported modules are never garbage. Searching them for garbage takes a fifth of the time, and copies pages.
    gc.disable()
    for module in sys.argv[2:]:
        import_module(module)
    gc.freeze()
    gc.enable()
    with suppress(OSError):
        orders.send(READY)
    serve(orders)


if __name__ == "__main__":
    main()
