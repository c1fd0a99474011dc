"""Jobs: submit, look, cancel, pause, resume, delete."""

import hashlib
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api import builtin
from api.deps import Authenticated, Paged, Parts, Service, missing
from api.etags import known
from api.pages import page
from api.problems import Refused
from athanor.contract import Job, Page, Plan, State
from models.kinds import Refusal
from models.records import answers, jobs, queue
from models.rehearsal import rehearse
from models.spec import JobSpec

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.post("", status_code=201, response_model=Job | Plan)
def create(
    service: Parts,
    caller: Authenticated,
    spec: JobSpec,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    validate_only: bool = False,
) -> Job | Plan:
    """Accept a job: 201 once it is safely in the queue.

    What cannot work is refused here, with a pointer. `validate_only` answers 200 with the plan and queues nothing. The
    same `Idempotency-Key` with the same body answers 200 with the job it made before; with another body, 422.
    """
    plan = _plan(service, spec)
    if validate_only:
        response.status_code = 200
        return plan
    wanted = jobs.Submission(
        key_id=caller.key_id,
        spec=dict(plan.spec),
        plan=plan.model_dump(mode="json", exclude={"spec", "shapes"}),
        dataset_id=spec.dataset.id,
        device=spec.resources.device,
        priority=spec.resources.priority,
        request_sha256=hashlib.sha256(spec.model_dump_json(exclude_unset=True).encode()).hexdigest(),
        name=spec.name,
        tags=spec.tags,
        idempotency_key=idempotency_key,
    )
    try:
        with service.database.writing() as tx:
            job_id, is_new = jobs.submit(tx, wanted)
    except IntegrityError:
        # The same key came by another request at this moment, or the dataset went: now both can be seen.
        _plan(service, spec)
        with service.database.writing() as tx:
            job_id, is_new = jobs.submit(tx, wanted)
    # Only now: a worker that hears the ring must find the row.
    if is_new and service.broker.ring(job_id):
        with service.database.writing() as tx:
            queue.mark_rung(tx, job_id)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return _job(service, job_id)


def _plan(service: Service, spec: JobSpec) -> Plan:
    dataset = builtin.find(service, spec.dataset.id)
    if dataset is None:
        raise Refusal(
            "/dataset/id",
            f"there is no dataset '{spec.dataset.id}'",
            code="unknown_dataset",
            suggestion="upload one, or take a built-in set from GET /v1/catalog",
        )
    return rehearse(spec, dataset.schema_, dataset.rows, service.settings.limits)


def _job(service: Service, job_id: str) -> Job:
    with service.database.reading() as tx:
        found = answers.job(tx, job_id)
    if found is None:
        raise missing("job", job_id)
    return found


@router.get("")
def index(
    service: Parts,
    window: Paged,
    state: State | None = None,
    tag: Annotated[str | None, Query(max_length=701, description="name:value")] = None,
) -> Page[Job]:
    """Newest first."""
    name, colon, value = (tag or "").partition(":")
    if tag is not None and not colon:
        raise Refused(422, "invalid", "a tag is asked for as name:value")
    with service.database.reading() as tx:
        found = answers.page(tx, state, (name, value) if tag else None, window.after, window.limit + 1)
    return page(found, window.limit)


@router.get("/{job_id}", response_model=Job)
def read(
    service: Parts, job_id: str, response: Response, if_none_match: Annotated[str | None, Header()] = None
) -> Job | Response:
    """State, progress, latest and best values. With `If-None-Match`, 304 while nothing has changed."""
    with service.database.reading() as tx:
        version = answers.version(tx, job_id)
    etag = f'"{version}"'
    if version is not None and known(if_none_match, etag):
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return _job(service, job_id)


@router.delete("/{job_id}", status_code=204)
def delete(service: Parts, job_id: str) -> None:
    """Remove an ended job with its metrics and checkpoints. 409 before its end."""
    _job(service, job_id)
    with service.database.writing() as tx:
        jobs.remove(tx, job_id)
    service.store.delete(f"jobs/{job_id}")


@router.post("/{job_id}/cancel", status_code=202)
def cancel(service: Parts, job_id: str) -> Job:
    """Stop for good. `cancelled` is shown only once its processes are gone."""
    return _wish(service, job_id, jobs.cancel)


@router.post("/{job_id}/pause", status_code=202)
def pause(service: Parts, job_id: str) -> Job:
    """Write a checkpoint and give the device back."""
    return _wish(service, job_id, jobs.pause)


@router.post("/{job_id}/resume", status_code=202)
def resume(service: Parts, job_id: str) -> Job:
    """Queue a paused job again; it goes on from its newest checkpoint."""
    answer = _wish(service, job_id, jobs.resume)
    service.broker.ring(job_id)
    return answer


def _wish(service: Service, job_id: str, wish: Callable[[Session, str], None]) -> Job:
    _job(service, job_id)
    with service.database.writing() as tx:
        wish(tx, job_id)
    return _job(service, job_id)
