"""What happens to a job: a page of it, a live stream, and the trainer's own words."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.deps import LAST, Parts, Service, missing
from api.problems import Refused
from athanor.contract import TERMINAL, Event, Metrics, Page
from models.records import answers, events, metrics

router = APIRouter(prefix="/jobs/{job_id}", tags=["events"])

LOOK_EVERY = 0.25
SILENCE = 10.0
"""Seconds after which a comment keeps the connection alive."""
BATCH = 500


@router.get("/events", response_model=Page[Event])
async def index(
    request: Request,
    service: Parts,
    job_id: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=0, le=LAST, description="`next` of the page before")] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Page[Event] | Response:
    """States, checkpoints, warnings and log lines in order; with `Accept: text/event-stream` as they happen.

    The stream also carries `metrics`, and closes with `end`. It goes on after `Last-Event-ID`.
    """
    if "text/event-stream" in request.headers.get("accept", ""):
        cursor = _cursor(last_event_id) if last_event_id else (after, 0)
        await run_in_threadpool(_look, service, job_id, cursor)
        return StreamingResponse(
            _stream(service, job_id, cursor), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
    found, _, _ = await run_in_threadpool(_look, service, job_id, (after, None), limit + 1)
    data, more = found[:limit], len(found) > limit
    return Page(data=data, has_more=more, next=str(data[-1].seq) if more else None)


@router.get("/logs", response_class=PlainTextResponse)
def logs(service: Parts, job_id: str) -> PlainTextResponse:
    """What the trainer printed."""
    with service.database.reading() as tx:
        if answers.version(tx, job_id) is None:
            raise missing("job", job_id)
        lines = events.log_lines(tx, job_id)
    safe = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return PlainTextResponse("".join(line + "\n" for line in lines), headers=safe)


def _cursor(last_event_id: str) -> tuple[int, int]:
    """(event, step) from an id this stream gave; anything else begins at the beginning."""
    found = re.fullmatch(r"([0-9]{1,19})-([0-9]{1,19})", last_event_id)
    seq, step = (int(number) for number in found.groups()) if found else (0, 0)
    return (seq, step) if max(seq, step) <= LAST else (0, 0)


def _look(
    service: Service, job_id: str, cursor: tuple[int, int | None], limit: int = BATCH
) -> tuple[list[Event], Metrics | None, bool]:
    """Events and points past the cursor, and whether there will be no more."""
    seq, step = cursor
    with service.database.reading() as tx:
        # The state first: what comes after it is read is read by the next look.
        state = answers.state(tx, job_id)
        if state is None:
            raise missing("job", job_id)
        found = events.since(tx, job_id, seq, limit)
        points = None
        if step is not None and metrics.newest_step(tx, job_id, None) > step:
            points = metrics.read(tx, job_id, None, step, None)
    return found, points, state in TERMINAL and len(found) < limit


async def _stream(service: Service, job_id: str, cursor: tuple[int, int]) -> AsyncIterator[str]:
    seq, step = cursor
    spoke = time.monotonic()
    # An id before anything has happened: a client that loses this connection can still say where it was.
    yield f"retry: 2000\nid: {seq}-{step}\ndata:\n\n"
    while True:
        try:
            found, points, is_over = await run_in_threadpool(_look, service, job_id, (seq, step))
        except Refused:
            # Deleted while somebody was listening: there is nothing more to tell.
            found, points, is_over = [], None, True
        for event in found:
            seq = event.seq
            yield _frame(event.kind, f"{seq}-{step}", event.model_dump(mode="json"))
        if points is not None:
            step = points.next
            yield _frame("metrics", f"{seq}-{step}", json.loads(points.model_dump_json()))
        if is_over:
            yield _frame("end", f"{seq}-{step}", {})
            return
        if found or points:
            spoke = time.monotonic()
        elif time.monotonic() - spoke > SILENCE:
            spoke = time.monotonic()
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_EVERY)


def _frame(event: str, cursor: str, data: dict[str, Any]) -> str:
    return f"id: {cursor}\nevent: {event}\ndata: {json.dumps(data, allow_nan=False)}\n\n"
