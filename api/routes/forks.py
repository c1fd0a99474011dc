"""Forks: a new job that starts with the weights of another."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api import submission
from api.deps import Authenticated, Parts, Service
from api.patches import patched, with_unused_nulls
from api.problems import Refused, invalid_spec
from api.routes.checkpoints import FILES, peek, take
from athanor.contract import Checkpoint, Fork, Job, Plan, Warned
from athanor.files import PREPARATION, WEIGHTS
from models.errors import SpecError
from models.planning.spec import JobSpec
from models.planning.transfer import Start
from models.records.idempotency import KeyReused
from models.records.origins import Origin, prefix_of

router = APIRouter(prefix="/jobs/{job_id}/fork", tags=["jobs"])

UNCHANGED = Fork()
"""What a request without a body asks for."""


@router.post("", status_code=201, response_model=Job | Plan)
def create(
    service: Parts,
    caller: Authenticated,
    job_id: str,
    response: Response,
    wanted: Fork = UNCHANGED,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    validate_only: bool = False,
) -> Job | Plan:
    """Accept a job that starts with the weights of a checkpoint, at step 0 and with nothing else of its training.

    It has the parent's spec with `spec` merged into it, and reads as the parent does: the same vocabulary, the same
    scales. Where its answers are others than the parent's, what gives them is drawn anew, and `fresh` names it. Folds
    are for another dataset than the parent's, whose rows the weights know. The parent may go: a fork has its own copy.
    `Idempotency-Key` and `validate_only` are as they are for a new job.
    """
    said = f"{job_id} {wanted.model_dump_json(exclude_unset=True)}"
    if not validate_only and (made := submission.earlier(service, response, caller, said, idempotency_key)):
        return made
    trained = submission.usable(service, job_id)
    parent = submission.job(service, job_id)
    spec = _spec(parent, wanted)
    _check_folds(parent, spec)
    with tempfile.TemporaryDirectory(dir=service.settings.scratch) as name:
        folder = Path(name)
        checkpoint = _take(peek if validate_only else take, service, job_id, wanted.checkpoint, folder)
        start = Start.read(folder / WEIGHTS, folder / PREPARATION)
        planned = _plan(service, spec, start)
        if validate_only:
            response.status_code = 200
            return submission.warned(service, planned, *_warnings(trained, planned))
        new = submission.of(caller, planned, said, idempotency_key)
        origin = Origin(
            job_id=job_id,
            checkpoint_id=checkpoint.id,
            step=checkpoint.step,
            fresh=planned.plan.fresh,
            prefix=prefix_of(new.id),
            files=[file for file in checkpoint.files if file.name in FILES],
        )
        # First the bytes, then the row that says so.
        try:
            for each in FILES:
                service.store.put(origin.key(each), folder / each)
        except Exception:
            service.discard(f"jobs/{new.id}")
            raise
    try:
        job = submission.accept(service, response, replace(new, origin=origin), lambda: _plan(service, spec, start))
    except (KeyReused, SpecError):
        # Of any other failure it is not known whether there is a row by now.
        service.discard(f"jobs/{new.id}")
        raise
    if job.id != new.id:
        service.discard(f"jobs/{new.id}")
    return job


def _spec(parent: Job, wanted: Fork) -> JobSpec:
    """The parent's spec with the patch merged in. Raises Refused, also where the patch removes an unknown field."""
    before = dict(parent.spec)
    changed = patched(dict(parent.submitted), before, wanted.spec)
    nulls = with_unused_nulls(changed, before, wanted.spec)
    unknown = [each for each in _errors(nulls) if each["type"] == "extra_forbidden" and each["input"] is None]
    errors = {each["loc"]: each for each in (*_errors(changed), *unknown)}
    if errors:
        raise invalid_spec(list(errors.values()), nulls, "/spec")
    return JobSpec.model_validate(changed)


def _errors(spec: Any) -> list[ErrorDetails]:
    try:
        JobSpec.model_validate(spec)
    except ValidationError as error:
        return error.errors()
    return []


def _check_folds(parent: Job, spec: JobSpec) -> None:
    """Every row of a cross-validation is tested. Raises SpecError where the weights to start with know the rows."""
    if spec.dataset.split.trainings > 1 and spec.dataset.id == parent.dataset_id:
        raise SpecError(
            "/spec/dataset/split",
            "the parent has learned from rows of this dataset, and folds would test them as if they were new",
            code="leak",
            suggestion="a holdout split, or a job of its own",
        )


def _warnings(trained: submission.Trained, planned: submission.Planned) -> list[Warned]:
    """Of a test with rows that are not new to the weights."""
    before, after = trained.spec().spec.dataset, planned.resolved.spec.dataset
    if before.id != after.id or before.split == after.split:
        return []
    message = "the split is not the parent's: the weights may have learned from rows of the validation and test parts"
    return [Warned(code="leak", message=message)]


def _plan(service: Service, spec: JobSpec, start: Start) -> submission.Planned:
    try:
        return submission.plan(service, spec, start)
    except SpecError as refusal:
        raise refusal.below("/spec") from refusal


def _take(
    take: Callable[[Service, str, str, Path], Checkpoint], service: Service, job_id: str, wanted: str, folder: Path
) -> Checkpoint:
    """The checkpoint with its files in `folder`. Raises SpecError for none of that name, Refused for a broken one."""
    try:
        return take(service, job_id, wanted, folder)
    except Refused as refused:
        if refused.status_code != 404:
            raise
        raise SpecError(
            "/checkpoint",
            refused.detail,
            code="unknown_checkpoint",
            suggestion=f"GET /v1/jobs/{job_id}/checkpoints lists those there are",
        ) from refused
