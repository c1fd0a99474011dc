"""`python -m worker.trainer FD`: one attempt at one job, in a process of its own.

It imports everything, waits for an assignment on standard input, trains, and sends messages to the pipe FD. It has no
database and no broker. When its standard input closes, its supervisor is gone, and the whole process group is killed.
"""

import gc

# Imported objects are never freed, and collecting garbage during the imports takes a fifth of the start time.
gc.disable()

# ruff: noqa: E402 -- the imports must come after gc.disable()
import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import torch
import torch._dynamo  # optimizers import it on first use, which takes longer than a short training

from models.errors import DataError, SpecError
from worker.training import enclosure
from worker.training.attempt import attempt
from worker.training.failures import UnknownPart, explain
from worker.training.loop import NonFinite
from worker.training.pipes import ParentWatch, Pipe

LONGEST = 4000
"""Characters of the longest failure message."""


def main(messages: int) -> int:
    gc.enable()
    pipe, parent_watch, orders = Pipe(messages), ParentWatch(), os.fdopen(0, "rb", closefd=False)
    pipe.send("ready")
    if not (order := orders.readline()):
        return 0
    assignment = json.loads(order)
    # Before a second thread exists: Landlock applies to this thread and the threads that it starts later.
    if missing := enclosure.enter(Path(assignment["folder"]), assignment["memory"]):
        print(f"this kernel cannot keep the trainer from {', '.join(missing)}", flush=True)
    # Where the number is to be found, the first training does so.
    torch.set_num_threads(assignment["threads"] or 1)
    parent_watch.hold(orders)
    try:
        attempt(assignment, pipe, parent_watch)
    except Exception as error:
        if not isinstance(error, (NonFinite, DataError, SpecError, UnknownPart)):
            sys.excepthook(type(error), error, error.__traceback__)
        said = explain(error)
        pipe.send("failed", **said | {"message": said["message"][:LONGEST]})
        return 1
    return 0


def ignore_stop_signals() -> None:
    """A signal to a whole machine or service group also reaches the worker, which then asks for a checkpoint."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def run(messages: int) -> NoReturn:
    """The whole life of this process. `messages` is the file descriptor of its pipe to the supervisor."""
    ignore_stop_signals()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code = main(messages)
    sys.stdout.flush()
    # Skip the interpreter's shutdown: the thread of the parent watch still reads, and nothing needs to be closed.
    os._exit(code)


if __name__ == "__main__":
    run(int(sys.argv[1]))
