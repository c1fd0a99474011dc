"""Trainers for tests of what a job leaves behind: forks of a process that has imported everything.

A fork takes milliseconds, and a start some seconds of a processor. Tests of the start itself, of kills and of whole
services use the command that a worker uses.
"""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import connection, forkserver
from multiprocessing.connection import Connection
from typing import IO, Any, cast

import pytest

from worker.supervision.trainer_process import ROOT, TrainerProcess

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__, "worker.trainer"])


class ForkedProcess:
    """As much of a `subprocess.Popen` as `TrainerProcess` uses."""

    def __init__(self, environment: Mapping[str, str], messages: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            # Libraries read some of these when they are imported.
            for name, value in environment.items():
                patch.setenv(name, value)
            forkserver.ensure_running()
        (reading, orders), (output, writing) = os.pipe(), os.pipe()
        # A connection closes its file descriptor, and the caller closes `messages`.
        out = [Connection(end, readable=False) for end in (writing, os.dup(messages))]
        ends = [Connection(reading, writable=False), *out]
        self._process = CONTEXT.Process(target=_train, args=(*ends, dict(environment)), daemon=True)
        self._process.start()
        for end in ends:
            end.close()
        # Only then can its group be killed. One that has died already is reaped: it has no group.
        with suppress(ProcessLookupError):
            while os.getpgid(self.pid) != self.pid:
                time.sleep(0.001)
        self.stdin: IO[bytes] = os.fdopen(orders, "wb", buffering=0)
        self.stdout: IO[bytes] = os.fdopen(output, "rb", buffering=0)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def await_exit(self) -> None:
        connection.wait([self._process.sentinel])

    def wait(self) -> int:
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode


class ForkedTrainer(TrainerProcess):
    """A trainer in a forked process."""

    def _start(self, environment: dict[str, str], messages: int) -> "subprocess.Popen[bytes]":
        return cast("subprocess.Popen[bytes]", ForkedProcess(environment, messages))

    def _await_exit(self) -> None:
        # The forkserver has reaped it, so its number may be another's: in the few milliseconds until then, hardly.
        cast(Any, self.process).await_exit()


def _train(orders: Connection, output: Connection, messages: Connection, environment: dict[str, str]) -> None:
    """In the fork: become what `python -m worker.trainer` is."""
    os.setsid()
    from worker import trainer  # The process that forks has imported it.

    # Otherwise it may not start processes that load data.
    multiprocessing.current_process().daemon = False
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(orders.fileno(), 0)
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    orders.close()
    output.close()
    sys.argv[1:] = [str(messages.fileno())]
    trainer.run()
