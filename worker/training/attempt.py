"""One attempt at one job: one training after another, to the end or until told to stop."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from athanor.contract import Schema
from models.data.table import Table
from models.planning.spec import JobSpec, settle
from worker.training import device as devices
from worker.training import snapshot
from worker.training.completed_folds import CompletedFolds
from worker.training.failures import UnknownPart
from worker.training.pipes import ParentWatch, Pipe
from worker.training.run import Origin, TrainingRun, Work


def attempt(assignment: dict[str, Any], pipe: Pipe, leash: ParentWatch) -> None:
    """One training after another, to the end or until told to stop."""
    try:
        schema, spec = Schema.model_validate(assignment["schema"]), JobSpec.model_validate(assignment["spec"])
    except ValidationError as error:
        raise UnknownPart(error) from error
    spec, roles = settle(spec, schema)
    device = devices.prepare(spec.hyperparameters.seed, spec.resources.device)
    pipe.send("started", device=devices.name_of(device), fingerprint=devices.fingerprint(device))
    table = Table.open(Path(assignment["dataset"]), schema)
    origin = Origin.read(**assignment["origin"]) if assignment["origin"] else None
    work = Work(spec, roles, table, device, Path(assignment["folder"]), origin)
    resume, best = (Path(assignment[name]) if assignment[name] is not None else None for name in ("resume", "best"))
    past = snapshot.past(resume) if resume is not None else CompletedFolds()
    while past.folds < work.rounds:
        trial = TrainingRun(work, past, pipe, leash, resume, best)
        if not trial.run():
            pipe.send("stopped")
            return
        past.folds, past.steps = past.folds + 1, past.steps + trial.learner.course.steps
        resume = best = None
    pipe.send("finished")
