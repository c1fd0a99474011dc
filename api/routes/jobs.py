"""Jobs: submit, look, cancel, pause, resume, delete."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from api import submission
from api.deps import Authenticated, Paged, Parts, Service
from api.etags import known
from api.pages import page
from api.problems import Refused
from athanor.contract import Job, Page, Plan, State
from models.planning.spec import JobSpec
from models.records import job_views, jobs
from models.records.keys import Caller

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
    said = spec.model_dump_json(exclude_unset=True)
    if not validate_only and (made := submission.earlier(service, response, caller, said, idempotency_key)):
        return made
    planned = submission.plan(service, spec)
    if validate_only:
        response.status_code = 200
        return planned.plan
    wanted = submission.of(caller, planned, said, idempotency_key)
    return submission.accept(service, response, wanted, lambda: submission.plan(service, spec))


@router.get("")
def index(
    service: Parts,
    window: Paged,
    state: State | None = None,
    tag: Annotated[
        list[Annotated[str, Field(max_length=701)]] | None,
        Query(max_length=20, description="name:value; repeated, a job must have all of them"),
    ] = None,
) -> Page[Job]:
    """Newest first. All conditions hold at once."""
    tags = []
    for each in tag or []:
        name, colon, value = each.partition(":")
        if not colon:
            raise Refused(422, "invalid", "a tag is asked for as name:value")
        tags.append((name, value))
    with service.database.reading() as tx:
        found = job_views.page(tx, state, tags, window.after, window.limit + 1)
    return page(found, window.limit)


@router.get("/{job_id}", response_model=Job)
def read(
    service: Parts, job_id: str, response: Response, if_none_match: Annotated[str | None, Header()] = None
) -> Job | Response:
    """State, progress, latest and best values. With `If-None-Match`, 304 while nothing has changed."""
    with service.database.reading() as tx:
        version = job_views.version(tx, job_id)
    etag = f'"{version}"'
    if version is not None and known(if_none_match, etag):
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return submission.job(service, job_id)


@router.delete("/{job_id}", status_code=204)
def delete(service: Parts, job_id: str) -> None:
    """Remove an ended job with its metrics and checkpoints. 409 before its end."""
    submission.job(service, job_id)
    with service.database.writing() as tx:
        jobs.remove(tx, job_id)
    service.discard(f"jobs/{job_id}")


@router.post("/{job_id}/cancel", status_code=202)
def cancel(service: Parts, caller: Authenticated, job_id: str) -> Job:
    """Stop for good. `cancelled` is shown only once its processes are gone."""
    return _wish(service, caller, job_id, jobs.cancel)


@router.post("/{job_id}/pause", status_code=202)
def pause(service: Parts, caller: Authenticated, job_id: str) -> Job:
    """Write a checkpoint and give the device back."""
    return _wish(service, caller, job_id, jobs.pause)


@router.post("/{job_id}/resume", status_code=202)
def resume(service: Parts, caller: Authenticated, job_id: str) -> Job:
    """Queue a paused job again; it goes on from its newest checkpoint."""
    answer = _wish(service, caller, job_id, jobs.resume)
    service.broker.ring(job_id)
    return answer


def _wish(service: Service, caller: Caller, job_id: str, wish: Callable[[Session, str, str], None]) -> Job:
    submission.job(service, job_id)
    with service.database.writing() as tx:
        wish(tx, job_id, caller.key_id)
    return submission.job(service, job_id)
