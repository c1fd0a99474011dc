"""What must hold after everything has died: read from the tables and the store, without the code that wrote them."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from athanor.client import Client
from athanor.contract import State
from models.records.chunks import unpack
from models.records.tables import Attempt, Checkpoint, Chunk, Job
from tests.chaos.fleet import Fleet
from tests.models.records.test_job_life import MAY_FOLLOW
from tests.rows import moves

CLOCKED = "samples_per_second"
"""The one series that a clock makes."""


@dataclass(frozen=True)
class Outcome:
    """What a job left behind, bit for bit."""

    files: dict[str, str]
    """sha256 of each file of the last checkpoint: weights, average, optimizer, generators."""

    series: dict[str, tuple[list[int], list[str]]]
    """Steps, and values as hexadecimal."""


def outcome(client: Client, job_id: str) -> Outcome:
    """Of a job that has succeeded."""
    last = client.checkpoint(job_id, "last")
    series = client.metrics(job_id).series
    return Outcome(
        {file.name: file.sha256 for file in last.files},
        {
            name: (points.steps, [float(value).hex() for value in points.values])
            for name, points in series.items()
            if CLOCKED not in name
        },
    )


def violations(fleet: Fleet, calm: dict[str, Outcome]) -> list[str]:
    """What is wrong with the jobs in `calm`, each beside the outcome of its undisturbed twin."""
    found: list[str] = []
    with fleet.opened() as (database, store), database.reading() as tx:
        for job_id, expected in calm.items():
            job = tx.scalars(select(Job).where(Job.id == job_id)).one()
            if job.state != State.SUCCEEDED:
                found.append(f"I1 {job_id} is {job.state}: {job.error}")
                continue
            path = moves(tx, job_id)
            found += [f"{number} {job_id}: {what}" for number, what in _wrong_moves(path)]
            newest = {row.attempt for row in tx.scalars(select(Attempt).where(Attempt.job_id == job_id))}
            if newest != set(range(1, job.attempt + 1)):
                found.append(f"I3 {job_id} has attempts {sorted(newest)} and is at {job.attempt}")
            for chunks in _series(tx.scalars(select(Chunk).where(Chunk.job_id == job_id)).all()).values():
                steps = [step for chunk in chunks for step in unpack(chunk.packed).steps.tolist()]
                if steps != sorted(set(steps)):
                    found.append(f"I5 {job_id}: {chunks[0].series} has steps twice or out of order")
            rows = tx.scalars(select(Checkpoint).where(Checkpoint.job_id == job_id)).all()
            for row in rows:
                for file in row.files:
                    digest = hashlib.sha256(b"".join(store.read(f"{row.prefix}/{file['name']}"))).hexdigest()
                    if row.status == "committed" and digest != file["sha256"]:
                        found.append(f"I6 {job_id}: {row.prefix}/{file['name']} is not what was committed")
            ours = fleet.ask(lambda client, job_id=job_id: outcome(client, job_id))  # type: ignore[misc]
            if ours.series != expected.series:
                found.append(f"I5 {job_id}: {_difference(ours.series, expected.series)}")
            if ours.files != expected.files:
                found.append(f"I7 {job_id}: other bytes in {_unequal(ours.files, expected.files)}")
            if job.no_progress_losses >= 3:
                found.append(f"I10 {job_id} was lost {job.no_progress_losses} times without progress and goes on")
            stored = {key.rpartition("/")[0] for key in store.keys(f"jobs/{job_id}")}
            if orphans := stored - {row.prefix for row in rows}:
                found.append(f"I9 {job_id}: {sorted(orphans)} are in the store and in no row")
            if (left := fleet.settings.scratch / job_id).exists():
                found.append(f"I9 {job_id}: {[str(path) for path in left.rglob('*')]} were left")
    return found


def _wrong_moves(path: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """I2, I3, I4 and I8 in the events of one job."""
    found: list[tuple[str, str]] = []
    state: State | None = None
    attempt = 0
    for move in path:
        from_ = State(move["from"]) if move["from"] else None
        to = State(move["to"])
        if from_ != state or to not in MAY_FOLLOW[from_]:
            found.append(("I2", f"{from_} → {to} where it was {state}"))
        if to == State.STARTING and move["attempt"] != attempt + 1:
            found.append(("I3", f"attempt {move['attempt']} after {attempt}"))
        if to != State.STARTING and move["attempt"] != attempt:
            found.append(("I4", f"{from_} → {to} by attempt {move['attempt']} in the days of {attempt}"))
        state, attempt = to, move["attempt"]
    if (ends := sum(State(move["to"]).is_terminal for move in path)) != 1:
        found.append(("I8", f"{ends} ends"))
    return found


def _series(chunks: Any) -> dict[str, list[Chunk]]:
    found: dict[str, list[Chunk]] = {}
    for chunk in sorted(chunks, key=lambda chunk: chunk.first_step):
        found.setdefault(chunk.series, []).append(chunk)
    return found


def _unequal(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def _difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    name = _unequal(ours, theirs)[0]
    one, other = ours.get(name, ([], [])), theirs.get(name, ([], []))
    for place, (step, value) in enumerate(zip(*other, strict=True)):
        if place >= len(one[0]) or (one[0][place], one[1][place]) != (step, value):
            here = f"{one[0][place]}: {one[1][place]}" if place < len(one[0]) else "nothing"
            return f"{name} has {here} where {step}: {value} should be"
    return f"{name} goes on after step {other[0][-1] if other[0] else math.nan}"
