"""Checkpoints: which there are, and the weights themselves."""

import base64
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from api.deps import Paged, Parts, Service, missing
from api.etags import known
from api.pages import page
from api.problems import respond
from api.ranges import Unsatisfiable, parse
from athanor.contract import Checkpoint, Page, better_is
from models.records import answers, checkpoints
from models.records.checkpoints import WEIGHTS, Stored

router = APIRouter(prefix="/jobs/{job_id}/checkpoints", tags=["checkpoints"])


@router.get("")
def index(service: Parts, job_id: str, window: Paged) -> Page[Checkpoint]:
    """In the order they were written."""
    with service.database.reading() as tx:
        if answers.version(tx, job_id) is None:
            raise missing("job", job_id)
        return page(checkpoints.page(tx, job_id, window.after, window.limit + 1), window.limit)


@router.get("/{checkpoint_id}")
def read(service: Parts, job_id: str, checkpoint_id: str) -> Checkpoint:
    """`checkpoint_id` is an id, `best` or `last`."""
    with service.database.reading() as tx:
        return checkpoints.answer(tx, find(tx, job_id, checkpoint_id).id)


def find(tx: Session, job_id: str, wanted: str) -> Stored:
    """The checkpoint of that id, the best, or the last. Raises Refused with 404."""
    job = answers.job(tx, job_id)
    if job is None:
        raise missing("job", job_id)
    if wanted == "last":
        found = checkpoints.newest(tx, job_id)
    elif wanted == "best":
        policy = job.spec["checkpoints"]
        assert isinstance(policy, dict)
        found = checkpoints.best(tx, job_id, better_is(str(policy["series"])))
    else:
        found = checkpoints.by_id(tx, job_id, wanted)
    if found is None:
        raise missing("checkpoint", wanted)
    return found


@router.get("/{checkpoint_id}/weights", response_class=StreamingResponse)
@router.head("/{checkpoint_id}/weights", include_in_schema=False)
def weights(
    request: Request,
    service: Parts,
    job_id: str,
    checkpoint_id: str,
    range_: Annotated[str | None, Header(alias="range")] = None,
    if_range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The weights as safetensors. HEAD, Range and If-Range; the ETag is the sha256, `Repr-Digest` the same again."""
    with service.database.reading() as tx:
        stored = find(tx, job_id, checkpoint_id)
    file = stored.file(WEIGHTS)
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
        "Content-Disposition": f'attachment; filename="{job_id}-step-{stored.step}.safetensors"',
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if known(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    try:
        # RFC 9110 §14.2: a range is asked for by GET alone.
        wanted = range_ if request.method == "GET" and if_range in (None, etag) else None
        part = parse(wanted, file.bytes)
    except Unsatisfiable:
        outside = {"Content-Range": f"bytes */{file.bytes}"}
        detail = f"the file has {file.bytes} bytes"
        return respond(request, 416, "range_not_satisfiable", detail, headers=outside)
    start, stop = part or (0, file.bytes)
    headers["Content-Length"] = str(stop - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.bytes}"
    status = 206 if part is not None else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type="application/octet-stream")
    return _send(service, stored, start, stop, status, headers)


def _send(
    service: Service, stored: Stored, start: int, stop: int, status: int, headers: dict[str, str]
) -> StreamingResponse:
    pieces = service.store.read(stored.key(WEIGHTS), start, stop)
    return StreamingResponse(pieces, status, headers, media_type="application/octet-stream")
