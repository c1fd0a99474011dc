"""Bounded children: modules that run in sandboxed child processes with limits. A child ends with this process.

It is for work on untrusted input, such as reading an upload or running a trained network.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Protocol, Self

from athanor.processes import confinement, full_disk
from athanor.processes.child import MODULE
from athanor.processes.child import Bounds as Bounds
from athanor.processes.warm import PIPES, WarmParent

PIECE = 2**16
LAST_WORDS = 5.0
"""Seconds to read the last errors of a child that has ended."""
ERRORS = 2**16
"""The number of bytes of standard error that are kept, counted from its end."""


@dataclass(frozen=True)
class Ended:
    """The result of a child process. `code` is its exit code, or minus the number of the signal that killed it."""

    code: int
    output: bytes
    errors: bytes


class _Process(Protocol):
    """The process of a child: of `subprocess`, or forked from a warm parent."""

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code. Raises subprocess.TimeoutExpired."""

    def kill(self) -> None:
        """Kill the process and its own children, without waiting."""


class _Started:
    def __init__(self, order: dict[str, Any], pipes: Sequence[int]) -> None:
        stdin, stdout, stderr = pipes
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, json.dumps(order)],
            env=confinement.environment(order["folder"]) | order["environment"],
            cwd=order["folder"],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            process_group=0,
        )

    def wait(self, timeout: float | None = None) -> int:
        return self.popen.wait(timeout)

    def kill(self) -> None:
        # Kill the group, because its other processes may live longer than its leader.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)


class _Forked:
    def __init__(self, parent: WarmParent, order: dict[str, Any], pipes: Sequence[int]) -> None:
        environment = confinement.environment(order["folder"]) | order["environment"]
        self.line, self.parent = parent.fork(order | {"environment": environment}, pipes)
        self.code: int | None = None
        self.has_ended, self.is_watched = threading.Event(), False

    def wait(self, timeout: float | None = None) -> int:
        if self.code is None:
            self.line.settimeout(timeout)
            try:
                said = self.line.recv(16)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("", timeout or 0.0) from None
            # Without an answer the warm parent was killed, and the child with it.
            self.code = int(said or -signal.SIGKILL)
            self.has_ended.set()
            self.line.close()
        return self.code

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)
        if self.code is None and not self.is_watched:
            self.is_watched = True
            threading.Thread(target=self.parent.end_unless, args=(self.has_ended,), daemon=True).start()


class Child:
    """A bounded child that runs. Use it as a context: at the end of the block, the child is killed."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        bounds: Bounds,
        readable: Iterable[Path] = (),
        environment: Mapping[str, str] | None = None,
        warm: WarmParent | None = None,
        is_asked: bool = False,
    ) -> None:
        """Start ``python -m module`` with `arguments` in `folder`.

        The child can read `readable`, the code and the libraries, and can write below `folder`. Its environment is
        `environment` and what libraries need, without secrets. Without Landlock, the limits apply, but the child can
        open any file. With `warm`, it is forked from there. If it `is_asked`, the module reads standard input itself,
        with `parent_watch.hold`.
        """
        self.bounds = bounds
        order = {
            "module": module,
            "arguments": list(arguments),
            "bounds": asdict(bounds),
            "folder": str(folder.absolute()),
            "readable": [str(one) for one in readable],
            "environment": dict(environment or {}),
            "is_asked": is_asked,
        }
        (stdin, self._stdin), (self._stdout, stdout), (self._stderr, stderr) = _pipes()
        pipes = stdin, stdout, stderr
        try:
            can_fork = warm is not None and hasattr(os, "pidfd_open")
            self.process: _Process = _Forked(warm, order, pipes) if can_fork and warm else _Started(order, pipes)
        except BaseException:
            for ours in (self._stdin, self._stdout, self._stderr):
                os.close(ours)
            raise
        finally:
            for pipe in pipes:
                os.close(pipe)
        self.stdin: IO[bytes] = os.fdopen(self._stdin, "wb", buffering=0)
        self.stdout: IO[bytes] = os.fdopen(self._stdout, "rb")
        self.errors = b""
        self._reader = threading.Thread(target=self._keep_errors, args=(os.fdopen(self._stderr, "rb"),), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the child and its own children, and wait for its end."""
        self.process.kill()
        self.stdin.close()
        self.process.wait()
        # Bounded: if the warm parent was killed, a child of the child may live on and hold the pipe.
        self._reader.join(LAST_WORDS)
        self.stdout.close()

    def read(self) -> bytes:
        """All output. A child that prints too much is killed."""
        held = self.stdout.read(self.bounds.output)
        if self.stdout.read(1):
            self.process.kill()
        return held

    def ask(self, line: bytes, seconds: float) -> bytes:
        """Send a line and return the line that answers it.

        The answer has no end of line if the child has died, took longer than `seconds`, or answered too much. In each
        case it is killed.
        """
        late = threading.Timer(seconds, self.process.kill)
        late.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                left = memoryview(line + b"\n")
                while left:
                    left = left[self.stdin.write(left) :]
            answer = self.stdout.readline(self.bounds.output)
        finally:
            late.cancel()
        if not answer.endswith(b"\n"):
            self.process.kill()
        return answer

    def _keep_errors(self, stderr: IO[bytes]) -> None:
        with stderr:
            while piece := stderr.read1(PIECE):  # type: ignore[attr-defined]
                self.errors = (self.errors + piece)[-ERRORS:]


def _pipes() -> list[tuple[int, int]]:
    """A pipe for each of the three streams. Raises OSError if there are too many open files; then none is left open."""
    made: list[tuple[int, int]] = []
    try:
        for _ in range(PIPES):
            made.append(os.pipe())
    except OSError:
        for end in chain.from_iterable(made):
            os.close(end)
        raise
    return made


def run_bounded(
    module: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    bounds: Bounds,
    readable: Iterable[Path] = (),
    environment: Mapping[str, str] | None = None,
    warm: WarmParent | None = None,
) -> Ended:
    """Run a module as a `Child`, and wait for its end.

    Raises TimeoutError after `bounds.wall` or else `bounds.seconds`, and OSError if the disk was full.
    """
    patience = bounds.wall or bounds.seconds
    child = Child(
        module, arguments, folder=folder, bounds=bounds, readable=readable, environment=environment, warm=warm
    )
    with ThreadPoolExecutor(1) as reader, child:
        output = reader.submit(child.read)
        try:
            code = child.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{module} took longer than {patience} s") from None
        finally:
            child.process.kill()
        held = output.result()
    full_disk.pass_on(code)
    return Ended(code, held, child.errors)
