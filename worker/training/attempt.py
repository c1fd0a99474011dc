"""One attempt at a job: train one fold after another, to the end or until told to stop."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from athanor.contract import Schema
from models.data.table import Table
from models.planning.resolve import ResolvedSpec
from worker.training import device as devices
from worker.training import snapshot
from worker.training.build import InitialWeights
from worker.training.completed_folds import CompletedFolds
from worker.training.failures import UnknownPart
from worker.training.pipes import ParentWatch, Pipe
from worker.training.run import TrainingRun, Work


def attempt(assignment: dict[str, Any], pipe: Pipe, parent_watch: ParentWatch) -> None:
    """Train what is left of a job. A job without folds has one training."""
    try:
        schema = Schema.model_validate(assignment["schema"])
        resolved = ResolvedSpec.model_validate(assignment["resolved"])
    except ValidationError as error:
        raise UnknownPart(error) from error
    spec = resolved.spec
    device = devices.prepare(spec.hyperparameters.seed, spec.resources.device)
    fingerprint = devices.fingerprint(device)
    if assignment["threads"] is None:
        # It follows in `settled`.
        del fingerprint["threads"]
    pipe.send("started", device=devices.name_of(device), fingerprint=fingerprint)
    table = Table.open(Path(assignment["dataset"]), resolved.schema_of(schema))
    initial = InitialWeights.read(**assignment["origin"]) if assignment["origin"] else None
    roles, folder = resolved.roles_in(schema), Path(assignment["folder"])
    most, found = assignment["most_threads"], assignment["found_threads"]
    work = Work(spec, roles, table, device, folder, initial, most, found)
    resume, best = (Path(assignment[name]) if assignment[name] is not None else None for name in ("resume", "best"))
    completed = snapshot.completed_folds(resume) if resume is not None else CompletedFolds()
    while completed.folds < work.folds:
        steps = _run_fold(work, completed, pipe, parent_watch, resume, best)
        if steps is None:
            pipe.send("stopped")
            return
        completed.folds, completed.steps = completed.folds + 1, completed.steps + steps
        resume = best = None
    pipe.send("finished")


def _run_fold(
    work: Work, completed: CompletedFolds, pipe: Pipe, parent_watch: ParentWatch, resume: Path | None, best: Path | None
) -> int | None:
    """Train the next fold. Returns its steps, or None where it was told to stop.

    This is a separate function so that the network and data of a fold are freed before those of the next are built.
    """
    run = TrainingRun(work, completed, pipe, parent_watch, resume, best)
    return run.learner.config.batching.steps if run.run() else None
