"""`python -m worker.trainer`: one attempt at one job, in a process of its own.

It waits warm, everything imported and nothing computed, for an assignment on its standard input; trains, and tells what
happens on the pipe numbered in its argument. It has no database and no broker. Its standard input is also its leash:
when that closes, whoever supervised it is gone, and the whole process group goes too.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # optimizers import it on first use, which takes longer than many a training run

from athanor.contract import Schema
from models.kinds import Refusal
from models.spec import JobSpec, settle
from models.table import DataError, Table
from worker import device as devices
from worker import sandbox, snapshot
from worker.failures import explain
from worker.leash import Leash, Pipe
from worker.loop import NonFinite
from worker.past import Past
from worker.trial import Origin, Trial, Work

LONGEST = 4000
"""Characters of an explanation."""


def attempt(assignment: dict[str, Any], pipe: Pipe, leash: Leash) -> None:
    """One training after another, to the end or until told to stop."""
    schema = Schema.model_validate(assignment["schema"])
    spec, roles = settle(JobSpec.model_validate(assignment["spec"]), schema)
    device = devices.prepare(spec.hyperparameters.seed, spec.resources.device)
    pipe.send("started", device=devices.name_of(device), fingerprint=devices.fingerprint(device))
    table = Table.open(Path(assignment["dataset"]), schema)
    origin = Origin.read(**assignment["origin"]) if assignment["origin"] else None
    work = Work(spec, roles, table, device, Path(assignment["folder"]), origin)
    resume, best = (Path(assignment[name]) if assignment[name] is not None else None for name in ("resume", "best"))
    past = snapshot.past(resume) if resume is not None else Past()
    while past.folds < work.rounds:
        trial = Trial(work, past, pipe, leash, resume, best)
        if not trial.run():
            pipe.send("stopped")
            return
        past.folds, past.steps = past.folds + 1, past.steps + trial.learner.course.steps
        resume = best = None
    pipe.send("finished")


def main() -> int:
    torch.set_num_threads(1)
    pipe, leash, orders = Pipe(int(sys.argv[1])), Leash(), os.fdopen(0, "rb", closefd=False)
    pipe.send("ready")
    if not (order := orders.readline()):
        return 0
    assignment = json.loads(order)
    # Before there is a second thread: the kernel holds this one to it, and all that it starts.
    if missing := sandbox.enter(Path(assignment["folder"]), assignment["memory"]):
        print(f"this kernel cannot keep the trainer from {', '.join(missing)}", flush=True)
    leash.hold(orders)
    try:
        attempt(assignment, pipe, leash)
    except Exception as error:
        if not isinstance(error, (NonFinite, DataError, Refusal)):
            sys.excepthook(type(error), error, error.__traceback__)
        said = explain(error)
        pipe.send("failed", **said | {"message": said["message"][:LONGEST]})
        return 1
    return 0


if __name__ == "__main__":
    # Whoever stops a whole machine, or a group of services, stops the worker too, and that asks for a checkpoint.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code = main()
    sys.stdout.flush()
    # Without the interpreter's farewell: the leash thread still reads, and nothing here needs closing.
    os._exit(code)
