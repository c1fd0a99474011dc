"""What a queued job waits for (a worker, a device, its time or its turn), and its place in the queue."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, literal, literal_column, select, union_all
from sqlalchemy.orm import Session

from athanor.contract import State, Waiting, Warned
from models.records.database import now
from models.records.queue import EVERY_DEVICE, UNKNOWN_PART, UNKNOWN_PART_REST, served, time
from models.records.tables import Attempt, Job, Worker
from models.records.times import rfc3339

NO_WORKER = "no worker takes jobs at the moment: start one with `athanor worker`"
NO_CUDA = (
    "the job asks for CUDA (resources.device) and no worker that takes jobs has it: start a worker on a machine with a "
    "CUDA device, or submit the job with resources.device = auto"
)
ALL_BUSY = "every worker that can run it is busy"
ONE_IS_FREE = "a worker is free and will take it soon"


@dataclass(frozen=True)
class _Active:
    """A worker that takes jobs."""

    id: str
    serves: frozenset[str]
    is_busy: bool


def waiting(tx: Session, rows: Sequence[Job], lease: float) -> dict[str, Waiting]:
    """By job id: what the queued jobs among `rows` wait for. The number of queries does not depend on `rows`.

    A worker without a heartbeat for `lease` seconds counts as gone.
    """
    queued = [row for row in rows if row.state == State.QUEUED]
    if not queued:
        return {}
    workers, refused, clock = _active(tx, lease), _refused(tx, queued), time(tx)
    places = _places(tx, queued, frozenset[str]().union(*(worker.serves for worker in workers)))
    return {
        row.id: Waiting(reason=_reason(row, workers, refused.get(row.id, {}), clock), place=places[row.id])
        for row in queued
    }


def warnings(tx: Session, device: str, lease: float) -> list[Warned]:
    """Why a job with `device` as `resources.device` would wait until somebody starts a worker."""
    workers = _active(tx, lease)
    if not workers:
        return [Warned(code="no_worker", message=NO_WORKER)]
    if not any(device in worker.serves for worker in workers):
        return [Warned(code="no_device", message=NO_CUDA)]
    return []


def _reason(row: Job, workers: list[_Active], refused: dict[str, str], clock: float) -> str:
    """`refused` has the messages of workers that do not know a part of the job, by worker id."""
    serving = [worker for worker in workers if row.device in worker.serves]
    able = [worker for worker in serving if worker.id not in refused]
    if not workers:
        return NO_WORKER
    if not serving:
        return NO_CUDA
    if not able:
        said = refused[serving[0].id]
        return f"no worker that takes jobs knows every part of its spec ({said}): start one of a newer version"
    if row.not_before > clock:
        return f"its last attempt was lost; the next begins after {rfc3339(row.not_before)}"
    return ALL_BUSY if all(worker.is_busy for worker in able) else ONE_IS_FREE


def _active(tx: Session, lease: float) -> list[_Active]:
    held = select(func.count()).where(Job.lease_owner == Worker.id).correlate(Worker).scalar_subquery()
    there = select(Worker.id, Worker.devices, Worker.slots, held.label("held"))
    alive = there.where(Worker.state == "active", Worker.heartbeat_at > now() - lease).order_by(Worker.id)
    return [
        _Active(row.id, frozenset(served({each["kind"] for each in row.devices})), row.held >= row.slots)
        for row in tx.execute(alive)
    ]


def _refused(tx: Session, rows: Sequence[Job]) -> dict[str, dict[str, str]]:
    """By job id: the messages of the workers that recently returned the job because they do not know a part of it."""
    tried = select(Attempt.job_id, Attempt.worker_id, Attempt.outcome).where(
        Attempt.job_id.in_([row.id for row in rows]),
        Attempt.outcome.startswith(UNKNOWN_PART, autoescape=True),
        Attempt.ended_at > now() - UNKNOWN_PART_REST,
    )
    found: dict[str, dict[str, str]] = {}
    for row in tx.execute(tried.order_by(Attempt.attempt)):
        found.setdefault(row.job_id, {})[row.worker_id] = row.outcome.removeprefix(f"{UNKNOWN_PART}: ")
    return found


def _places(tx: Session, rows: Sequence[Job], serving: frozenset[str]) -> dict[str, int]:
    """By job id: the place in the queue, 1 for the next job that the workers take.

    `serving` are the devices that any worker serves. Jobs for other devices have a queue of their own. A single query
    counts the jobs between those in `rows`: ranking all jobs would take half a second in a queue of 100,000.
    """
    lines: dict[tuple[bool, int], set[float]] = {}
    for row in rows:
        lines.setdefault((row.device in serving, row.priority), set()).add(row.created_at)
    pieces: list[tuple[tuple[bool, int], float, tuple[ColumnElement[bool], ...]]] = []
    for (is_served, priority), times in lines.items():
        device = Job.device.in_([each for each in EVERY_DEVICE if (each in serving) == is_served])
        above, earliest = Job.priority > priority, -math.inf
        for number, created_at in enumerate(sorted(times)):
            if number == 0:
                pieces.append(((is_served, priority), created_at, (device, above)))
            between = (Job.created_at >= earliest, Job.created_at < created_at)
            pieces.append(((is_served, priority), created_at, (device, Job.priority == priority, *between)))
            earliest = created_at
    # A literal: with a parameter, SQLite does not use the partial index.
    queued = Job.state == literal_column("'queued'")
    counts = (
        select(literal(number).label("number"), func.count().label("jobs")).select_from(Job).where(queued, *piece)
        for number, (_, _, piece) in enumerate(pieces)
    )
    found = {row.number: row.jobs for row in tx.execute(union_all(*counts))}
    ahead: Counter[tuple[bool, int]] = Counter()
    places: dict[tuple[bool, int, float], int] = {}
    for number, (line, created_at, _) in enumerate(pieces):
        ahead[line] += found[number]
        places[*line, created_at] = ahead[line] + 1
    return {row.id: places[row.device in serving, row.priority, row.created_at] for row in rows}
