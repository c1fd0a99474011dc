"""Forks: a new job that starts with the weights of another."""

import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api import submission
from api.deps import Authenticated, Parts, Service
from api.json_route import JsonRoute
from api.patches import patched, with_unused_nulls
from api.problems import Refused, invalid_spec
from api.routes.checkpoints import FILES, peek, take
from athanor.contract import Checkpoint, Fork, Job, Plan, Warned
from athanor.files import PREPARATION, WEIGHTS
from models.errors import SpecError
from models.planning.spec import JobSpec
from models.planning.transfer import Start
from models.records.idempotency import KeyReused
from models.records.keys import Caller
from models.records.origins import Origin, prefix_of

router = APIRouter(prefix="/jobs/{job_id}/fork", tags=["jobs"], route_class=JsonRoute)

LONGEST_NAME = 200
UNCHANGED = Fork()
"""The default of the body: no changes to the spec."""


@router.post("", status_code=201, response_model=Job | Plan, responses=submission.ANSWERS)
async def create(
    service: Parts,
    caller: Authenticated,
    job_id: str,
    response: Response,
    wanted: Fork = UNCHANGED,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    validate_only: bool = False,
) -> Job | Plan:
    """Submit a job that starts at step 0 with the weights of another job's checkpoint.

    The fork has the parent's spec with `spec` merged into it, and the parent's preprocessing: the same vocabulary and
    the same scales. It does not use the parent's optimizer state. If its outputs differ from the parent's, the output
    layer gets new random weights, and `fresh` names its tensors. A split into folds is refused on the parent's dataset,
    because the weights have learned from its rows. The fork has its own copy of the weights, so the parent can be
    deleted. If `spec` gives no name, it is the parent's with "(fork)". `Idempotency-Key` and `validate_only` work as
    for a new job.
    """
    make = partial(_create, service, caller, job_id, response, wanted, idempotency_key, validate_only)
    return await to_thread.run_sync(make, limiter=service.submissions)


def _create(
    service: Service,
    caller: Caller,
    job_id: str,
    response: Response,
    wanted: Fork,
    idempotency_key: str | None,
    validate_only: bool,
) -> Job | Plan:
    content = f"{job_id} {wanted.model_dump_json(exclude_unset=True)}"
    if not validate_only and (made := submission.earlier(service, response, caller, content, idempotency_key)):
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
        warnings = _warnings(trained, planned)
        if validate_only:
            response.status_code = 200
            return submission.warned(service, planned, *warnings)
        new = submission.of(caller, planned, content, idempotency_key)
        new = replace(new, warnings=warnings)
        origin = Origin(
            job_id=job_id,
            checkpoint_id=checkpoint.id,
            step=checkpoint.step,
            fresh=planned.plan.fresh,
            prefix=prefix_of(new.id),
            files=[file for file in checkpoint.files if file.name in FILES],
        )
        # The files are stored before the row that names them.
        try:
            for each in FILES:
                service.store.put(origin.key(each), folder / each)
        except Exception:
            service.discard(f"jobs/{new.id}")
            raise
    try:
        job = submission.accept(service, response, replace(new, origin=origin), lambda: _plan(service, spec, start))
    except (KeyReused, SpecError):
        # After any other error, the row may exist and name these files, so they are kept.
        service.discard(f"jobs/{new.id}")
        raise
    if job.id != new.id:
        service.discard(f"jobs/{new.id}")
    return job


def _spec(parent: Job, wanted: Fork) -> JobSpec:
    """The parent's spec with the patch merged in. Raises Refused, also if the patch removes an unknown field."""
    before = dict(parent.spec)
    changed = patched(dict(parent.submitted), before, wanted.spec)
    if parent.name is not None and "name" not in wanted.spec:
        changed["name"] = _name(parent.name)
    nulls = with_unused_nulls(changed, before, wanted.spec)
    unknown = [each for each in _errors(nulls) if each["type"] == "extra_forbidden" and each["input"] is None]
    errors = {each["loc"]: each for each in (*_errors(changed), *unknown)}
    if errors:
        raise invalid_spec(list(errors.values()), nulls, "/spec")
    return JobSpec.model_validate(changed)


def _name(parent: str) -> str:
    """`reviews (fork)`, and of a fork `reviews (fork 2)`: names find jobs, so two generations have not the same one."""
    found = re.fullmatch(r"(.*) \(fork(?: (\d{1,9}))?\)", parent, re.DOTALL)
    base, generation = (found[1], int(found[2] or 1) + 1) if found else (parent, 1)
    end = " (fork)" if generation == 1 else f" (fork {generation})"
    return base[: LONGEST_NAME - len(end)] + end


def _errors(spec: Any) -> list[ErrorDetails]:
    try:
        JobSpec.model_validate(spec)
    except ValidationError as error:
        return error.errors()
    return []


def _check_folds(parent: Job, spec: JobSpec) -> None:
    """Raises SpecError for folds on the parent's dataset: they test every row, and the parent has learned from some."""
    if spec.dataset.split.trainings > 1 and spec.dataset.id == parent.dataset_id:
        raise SpecError(
            "/spec/dataset/split",
            "the parent has learned from rows of this dataset, and folds would test them as if they were new",
            code="leak",
            suggestion="a holdout split, or a job of its own",
        )


def _warnings(trained: submission.Trained, planned: submission.Planned) -> list[Warned]:
    """A warning if the fork splits the parent's dataset differently: it may test rows that the parent learned from."""
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
    """Call `take` or `peek`. Raises SpecError if there is no such checkpoint, and Refused if its files are damaged."""
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
