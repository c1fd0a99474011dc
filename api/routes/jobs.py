"""Jobs: submit, list, read, cancel, pause, resume, delete."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from api import submission
from api.deps import Authenticated, Parts, Service, Window, missing, paged
from api.etags import known
from api.json_route import JsonRoute
from api.openapi import TAG, UNCHANGED
from api.pages import page
from api.problems import invalid_parameter
from athanor.contract import Job, Page, Plan, State
from models.planning.spec import JobSpec
from models.records import job_views, jobs
from models.records.keys import Caller

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=JsonRoute)


@router.post("", status_code=201, response_model=Job | Plan, responses=submission.ANSWERS)
async def create(
    service: Parts,
    caller: Authenticated,
    spec: JobSpec,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(max_length=200, description="A unique string for each job, which makes retries safe.")
    ] = None,
    validate_only: Annotated[bool, Query(description="Answer with the plan and queue nothing.")] = False,
) -> Job | Plan:
    """Submit a job. The answer is 201 when the job is safely in the queue.

    A spec that cannot work is refused with 422, and each fault has a JSON pointer to its place. With `validate_only`
    the answer is 200 with the plan. A request that repeats an `Idempotency-Key` with the same body gets 200 with the
    job of the first request; with another body it gets 422.
    """
    make = partial(_create, service, caller, spec, response, idempotency_key, validate_only)
    return await to_thread.run_sync(make, limiter=service.submissions)


def _create(
    service: Service,
    caller: Caller,
    spec: JobSpec,
    response: Response,
    idempotency_key: str | None,
    validate_only: bool,
) -> Job | Plan:
    content = spec.model_dump_json(exclude_unset=True)
    if not validate_only and (made := submission.earlier(service, response, caller, content, idempotency_key)):
        return made
    planned = submission.plan(service, spec)
    if validate_only:
        response.status_code = 200
        return submission.warned(service, planned)
    wanted = submission.of(caller, planned, content, idempotency_key)
    return submission.accept(service, response, wanted, lambda: submission.plan(service, spec))


@router.get("")
def index(
    service: Parts,
    window: Annotated[Window, paged("job")],
    state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
    tag: Annotated[
        list[Annotated[str, Field(max_length=701, json_schema_extra={"pattern": ":"})]] | None,
        Query(
            max_length=20, description="Only jobs with this tag, as name:value. Several: jobs that have all of them."
        ),
    ] = None,
) -> Page[Job]:
    """List jobs, newest first. A job is listed if it matches all filters."""
    tags = []
    for each in tag or []:
        name, colon, value = each.partition(":")
        if not colon:
            message = f"'{each[:50]}' has no colon; write it as tag=name:value"
            raise invalid_parameter("tag", "wrong_tag", message)
        tags.append((name, value))
    with service.database.reading() as tx:
        lease = service.settings.timing.lease
        return page(*job_views.page(tx, state, tags, window.after, window.limit, lease))


@router.get("/{job_id}", response_model=Job, responses={**UNCHANGED, 200: {"headers": TAG}})
def read(
    service: Parts, job_id: str, response: Response, if_none_match: Annotated[str | None, Header()] = None
) -> Job | Response:
    """Read a job: its state, its progress, the latest and the best value of each series, and what it waits for.

    With `If-None-Match` the answer is 304 while nothing has changed.
    """
    with service.database.reading() as tx:
        found = job_views.unless_known(tx, job_id, service.settings.timing.lease, partial(known, if_none_match))
    if found is None:
        raise missing("job", job_id)
    etag, job = found
    if job is None:
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return job


@router.delete("/{job_id}", status_code=204)
def delete(service: Parts, job_id: str) -> None:
    """Delete an ended job with its metrics and checkpoints. The answer is 409 while the job has not ended."""
    submission.job(service, job_id)
    with service.database.writing() as tx:
        jobs.remove(tx, job_id)
    service.discard(f"jobs/{job_id}")


@router.post("/{job_id}/cancel", status_code=202)
def cancel(service: Parts, caller: Authenticated, job_id: str) -> Job:
    """Stop a job for good and keep its checkpoints. Its state becomes `cancelled` when its processes are gone."""
    return _request(service, caller, job_id, jobs.cancel)


@router.post("/{job_id}/pause", status_code=202)
def pause(service: Parts, caller: Authenticated, job_id: str) -> Job:
    """Stop a job so that it can be resumed. It writes a checkpoint and frees its device."""
    return _request(service, caller, job_id, jobs.pause)


@router.post("/{job_id}/resume", status_code=202)
def resume(service: Parts, caller: Authenticated, job_id: str) -> Job:
    """Queue a paused job again. It continues from its newest checkpoint."""
    answer = _request(service, caller, job_id, jobs.resume)
    service.broker.ring(job_id)
    return answer


def _request(service: Service, caller: Caller, job_id: str, request: Callable[[Session, str, str], None]) -> Job:
    submission.job(service, job_id)
    with service.database.writing() as tx:
        request(tx, job_id, caller.key_id)
    return submission.job(service, job_id)
