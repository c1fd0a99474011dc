"""Metrics: the points of a job's series, as columns of steps, values and times."""

import re
import time
from contextlib import nullcontext
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.deps import LAST, Authenticated, Parts, Service, missing
from api.problems import Refused
from api.watcher import UNSEEN, told_of
from athanor.contract import TERMINAL, Fault, Metrics
from models.records import job_views, metrics

router = APIRouter(prefix="/jobs/{job_id}/metrics", tags=["metrics"])

LONGEST = 50
"""Characters of a name that a message repeats."""
MOST_NAMED = 30
"""Names that a message lists."""
MEMBER = re.compile(r"^folds/\d{1,4}/")
FIRST_MARK = 1.0
"""Seconds for which the first mark of a job is waited for."""
HANGS_UP = 2.0
"""Seconds after which it is noticed that a waiting caller has hung up."""


@router.get("", response_model=Metrics)
async def read(
    request: Request,
    service: Parts,
    caller: Authenticated,
    job_id: str,
    series: Annotated[
        list[str] | None, Query(description="Names of series, repeated or separated by commas. Default: all.")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=LAST, description="Only points after this sequence number, the `next` of an answer.")
    ] = None,
    max_points: Annotated[
        int | None, Query(ge=4, le=100_000, description="Thin each series to about so many points; extremes stay.")
    ] = None,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for a new point before answering.")] = 0,
) -> Response:
    """Read the points of a job's series. To follow a job, poll with `after` set to the `next` of the last answer.

    The name of a series that the job cannot have is refused with 422, once the job has points.

    With `wait` the answer comes as soon as there is a new point. Sequence numbers count the points of a job in the
    order in which they are recorded, whatever their steps. A job that resumes from a checkpoint computes the points
    after it again, and they come again with new numbers: if a series goes back to a step that you have, drop the points
    of that series from this step on.
    """
    # Each name once: a query may repeat it thousands of times.
    names = sorted({name for given in series for name in given.split(",") if name}) if series else None
    until = time.monotonic() + wait
    mark = service.watcher.known(job_id) if wait else UNSEEN
    with service.watcher.listening(caller.key_id) if wait else nullcontext():
        if wait and mark == UNSEEN:
            # With a mark, many who ask at the same time share one look.
            mark = await service.watcher.news(job_id, caller.key_id, mark, min(wait, FIRST_MARK))
        told = told_of(mark)
        may_look = told is None or told.point > (after or 0)
        while True:
            is_last = time.monotonic() >= until or await request.is_disconnected()
            told = None if is_last else told_of(mark)
            look = partial(_look, service, job_id, names, after, max_points, is_last, told and told.point)
            what = (job_id, None if names is None else tuple(names), after, max_points, is_last)
            if may_look and (answer := await service.watcher.look(what, mark, look, _size)) is not None:
                return Response(answer, media_type="application/json")
            may_look, seen = True, mark
            while mark == seen and time.monotonic() < until and not await request.is_disconnected():
                seconds = min(until - time.monotonic(), HANGS_UP)
                mark = await service.watcher.news(job_id, caller.key_id, mark, max(0.0, seconds))


def _size(answer: bytes | None) -> int:
    return len(answer or b"")


def _check(tx: Session, job_id: str, names: list[str]) -> None:
    """Raises Refused (422) for the name of a series that the job has not, and will not have by what is known."""
    known = metrics.recorded(tx, job_id)
    # A job without points may still have any series, and one with points those of an evaluation that is to come.
    later = job_views.evaluated(tx, job_id)
    unknown = [name for name in names if name not in known and MEMBER.sub("", name) not in later] if known else []
    if unknown:
        shown = unknown[0][:LONGEST]
        faults = [
            Fault(
                pointer="?series",
                code="unknown_series",
                message=f"the job has no series '{shown}'",
                suggestion=f"one of {', '.join(known[:MOST_NAMED])}" + (" …" if len(known) > MOST_NAMED else ""),
            )
        ]
        raise Refused(422, "invalid", f"?series: {faults[0].message}", faults)


def _look(
    service: Service,
    job_id: str,
    names: list[str] | None,
    after: int | None,
    most: int | None,
    is_last: bool,
    upto: int | None,
) -> bytes | None:
    """The answer as JSON, with points up to the number `upto`, or None while the caller should wait for new points.

    It runs in a thread and serializes there, because a long series would block the event loop.
    """
    with service.database.reading() as tx:
        state = job_views.state(tx, job_id)
        if state is None:
            raise missing("job", job_id)
        if names and not after:
            _check(tx, job_id, names)
        if is_last or state in TERMINAL:
            return metrics.read(tx, job_id, names, after, most).model_dump_json().encode()
        if metrics.newest(tx, job_id, names) <= (after or 0):
            return None
        answer = metrics.read(tx, job_id, names, after, most, upto)
        return answer.model_dump_json().encode() if any(each.steps for each in answer.series.values()) else None
