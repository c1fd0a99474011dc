"""The events of a job: a page of them, a live stream, and the trainer's log."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.deps import LAST, Authenticated, Parts, Service, missing
from api.openapi import Answers
from api.problems import Refused
from api.watcher import UNSEEN, told_of
from athanor.contract import TERMINAL, Event, Page
from models.records import events, job_views, metrics

router = APIRouter(prefix="/jobs/{job_id}", tags=["events"])

SILENCE = 10.0
"""Seconds without an event after which a comment is sent, so that proxies keep the connection open."""
BATCH = 500
POINTS = 5000
"""The largest number of metric points in one frame."""
STREAM: Answers = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


@router.get("/events", response_model=Page[Event], responses=STREAM)
async def index(
    request: Request,
    service: Parts,
    caller: Authenticated,
    job_id: str,
    limit: Annotated[int, Query(ge=1, le=1000, description="The number of events in the page.")] = 100,
    after: Annotated[int, Query(ge=0, le=LAST, description="The `next` of the previous page.")] = 0,
    last_event_id: Annotated[
        str | None, Header(description="The stream continues after this event, the last that the client received.")
    ] = None,
) -> Page[Event] | Response:
    """List a job's events in order: state changes, checkpoints, warnings and log lines.

    With `Accept: text/event-stream` the answer is a live stream of them. The stream also carries `metrics` events and
    closes with an `end` event when the job has ended. A client that reconnects sends `Last-Event-ID`.
    """
    if "text/event-stream" in request.headers.get("accept", ""):
        cursor = _cursor(last_event_id) if last_event_id else (after, 0)
        if service.watcher.known(job_id) == UNSEEN:
            await run_in_threadpool(_check_exists, service, job_id)
        with ExitStack() as stack:
            stack.enter_context(service.watcher.listening(caller.key_id))
            stream = _stream(service, job_id, caller.key_id, cursor, stack.pop_all())
        return StreamingResponse(stream, media_type="text/event-stream")
    found = (await run_in_threadpool(_look, service, job_id, after, None, limit + 1)).events
    data, more = found[:limit], len(found) > limit
    return Page(data=data, has_more=more, next=str(data[-1].seq) if more else None)


@router.get("/logs", response_class=PlainTextResponse)
def logs(service: Parts, job_id: str) -> PlainTextResponse:
    """Read the job's log as plain text: what the trainer did, with times, and what it printed."""
    _check_exists(service, job_id)
    with service.database.reading() as tx:
        lines = events.log_lines(tx, job_id)
    return PlainTextResponse("".join(line + "\n" for line in lines))


def _check_exists(service: Service, job_id: str) -> None:
    """Raises Refused (404)."""
    with service.database.reading() as tx:
        if job_views.version(tx, job_id) is None:
            raise missing("job", job_id)


def _cursor(last_event_id: str) -> tuple[int, int]:
    """The sequence numbers (event, point) in an id of this stream. Any other id means the start of the stream."""
    found = re.fullmatch(r"([0-9]{1,19})-([0-9]{1,19})", last_event_id)
    seq, point = (int(number) for number in found.groups()) if found else (0, 0)
    return (seq, point) if max(seq, point) <= LAST else (0, 0)


@dataclass(frozen=True)
class News:
    """Events and points after a cursor. `points` is a frame that a thread has formatted, because that is slow."""

    events: list[Event]
    point: int
    points: str | None
    is_over: bool

    def size(self) -> int:
        return len(self.points or "")


def _look(
    service: Service,
    job_id: str,
    seq: int,
    point: int | None,
    limit: int = BATCH,
    told: job_views.Mark | None = None,
) -> News:
    """Events after `seq`, and metric points after the sequence number `point`; no points if it is None.

    With `told` only those that this mark tells of.
    """
    with service.database.reading() as tx:
        # Read the state before the events: if it is terminal, no event is missed.
        state = job_views.state(tx, job_id)
        if state is None:
            raise missing("job", job_id)
        found = events.since(tx, job_id, seq, limit)
        if told is not None:
            found = [event for event in found if event.seq <= told.event]
        is_over = told is None and state in TERMINAL and len(found) < limit
        newest = 0 if point is None else metrics.newest(tx, job_id, None) if told is None else told.point
        if point is None or newest <= point:
            return News(found, point or 0, None, is_over)
        points = metrics.read(tx, job_id, None, point, None, upto=min(newest, point + POINTS))
    frame = f"event: metrics\ndata: {points.model_dump_json()}\n\n" if points.series else None
    return News(found, points.next, frame, is_over and points.next >= newest)


async def _stream(
    service: Service, job_id: str, key_id: str, cursor: tuple[int, int], listening: ExitStack
) -> AsyncIterator[str]:
    seq, point = cursor
    mark = UNSEEN
    # The caller counts as a listener until the stream ends, or the caller hangs up.
    with listening:
        # Send an id before the first event, so that a client that loses the connection early can continue from it.
        yield f"retry: 2000\nid: {seq}-{point}\ndata:\n\n"
        while True:
            try:
                seen, mark = mark, await service.watcher.news(job_id, key_id, mark, SILENCE)
            except Refused:
                # The key was revoked during the stream.
                return
            if mark == seen:
                yield ": still here\n\n"
                continue
            behind = True
            while behind:
                try:
                    look = partial(_look, service, job_id, seq, point, told=told_of(mark))
                    news = await service.watcher.look((job_id, seq, point), mark, look, News.size)
                except Refused:
                    # The job was deleted during the stream.
                    news = News([], point, None, True)
                for event in news.events:
                    seq = event.seq
                    yield _frame(event.kind, f"{seq}-{point}", event.model_dump(mode="json"))
                behind, point = news.point > point or len(news.events) == BATCH, news.point
                if news.points is not None:
                    yield f"id: {seq}-{point}\n{news.points}"
                if news.is_over:
                    yield _frame("end", f"{seq}-{point}", {})
                    return


def _frame(event: str, cursor: str, data: dict[str, Any]) -> str:
    return f"id: {cursor}\nevent: {event}\ndata: {json.dumps(data, allow_nan=False)}\n\n"
