"""`python -m worker.trainer_parent FD`: the warm parent of a worker's trainers. Linux only.

It imports what a training needs, computes nothing, and forks a trainer for each order that arrives at the socket FD.
Imports take seconds, and a fork takes milliseconds. Its environment has no secret, it has a single thread, and it has
not touched a device, so its forks are as good as processes of their own. A fork is orphaned at once: the worker, which
adopts orphans, is then its parent, and waits for it as for a child that it had started.
"""

import gc

# Imported objects are never freed, and collecting garbage during the imports takes a fifth of the start time.
gc.disable()

# ruff: noqa: E402 -- the imports must come after gc.disable()
import json
import os
import pkgutil
import socket
import sys
import traceback
from importlib import import_module
from typing import NoReturn

from athanor.processes import privileges
from models.parts.metric import METRICS
from worker import trainer
from worker.training import methods

LONGEST_ORDER = 2**16
PIPES = 3
"""Orders (standard input), output (also errors), messages."""

LATER = ("dateutil.relativedelta", "numpy.ctypeslib", "numpy.ma", "pyarrow.dataset", "torch.profiler._cupti_monitor")
"""What libraries import at their first use, in each trainer anew: 70 ms of a short training."""


def serve(orders: socket.socket) -> None:
    """Fork a trainer for each order, and answer with its process id; 0 if there is none. Ends with the sender."""
    while True:
        order, pipes, _, _ = socket.recv_fds(orders, LONGEST_ORDER, PIPES)
        if not order:
            return
        orders.send(str(_fork(json.loads(order), pipes)).encode())
        for pipe in pipes:
            os.close(pipe)


def _fork(environment: dict[str, str], pipes: list[int]) -> int:
    """The process id of a trainer that leads a process group and has lost its parent; 0 if there is none."""
    reading, writing = os.pipe()
    try:
        between = os.fork()
    except OSError as error:
        print(f"no trainer could be forked: {error}", file=sys.stderr, flush=True)
        os.close(writing)
    else:
        if not between:
            _fork_again(environment, pipes, writing)
        os.close(writing)
        os.waitpid(between, 0)
    # The number comes when the trainer leads its group: before that, nobody could end the group.
    with open(reading) as known:
        return int(known.read() or 0)


def _fork_again(environment: dict[str, str], pipes: list[int], known: int) -> NoReturn:
    """Between the parent and the trainer, and in the trainer."""
    try:
        if not os.fork():
            _become_trainer(environment, pipes, known)
    except BaseException:
        # Also what a trainer raises: its code is not 0 then, and its log says why.
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _become_trainer(environment: dict[str, str], pipes: list[int], known: int) -> NoReturn:
    os.setsid()
    privileges.name_process("athanor-trainer")
    os.write(known, str(os.getpid()).encode())
    orders, output, messages = pipes
    for place, pipe in enumerate((orders, output, output, messages)):
        os.dup2(pipe, place)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    os.environ.update(environment)
    trainer.run(3)


def main() -> None:
    trainer.ignore_stop_signals()
    orders = socket.socket(fileno=int(sys.argv[1]))
    for module in (*LATER, *(f"{methods.__name__}.{each.name}" for each in pkgutil.iter_modules(methods.__path__))):
        import_module(module)
    assert list(METRICS), "a registry reads its folder at the first look-up"
    # A collection would write to the pages that the trainers share.
    gc.freeze()
    serve(orders)


if __name__ == "__main__":
    main()
