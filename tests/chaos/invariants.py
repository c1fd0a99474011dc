"""The invariants that must hold after kills. They are read directly from the tables and the store."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from athanor.client import Client
from athanor.contract import LEASED, State
from models.records.chunks import unpack
from models.records.tables import Attempt, Checkpoint, Chunk, Event, Job
from tests.chaos.fleet import Fleet
from tests.models.records.test_job_life import MAY_FOLLOW
from tests.rows import moves

CLOCKED = "samples_per_second"
"""The only series that depends on a clock."""


@dataclass(frozen=True)
class Outcome:
    """The results of a job, bit for bit."""

    files: dict[str, str]
    """SHA-256 of each file of the last checkpoint: weights, average, optimizer, generators."""

    series: dict[str, tuple[list[int], list[str]]]
    """Steps, and values as hexadecimal."""


def outcome(client: Client, job_id: str) -> Outcome:
    """The outcome of a job that has succeeded."""
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
    """The broken invariants of the jobs in `calm`, which maps a job to the outcome of an undisturbed equal job."""
    found: list[str] = []
    with fleet.opened() as (database, store), database.reading() as tx:
        for job_id, expected in calm.items():
            job = tx.scalars(select(Job).where(Job.id == job_id)).one()
            if job.state != State.SUCCEEDED:
                found.append(f"I1 {job_id} is {job.state}: {job.error}: {moves(tx, job_id)}")
                continue
            found += wrong_life(tx, job)
            for chunks in _series(tx.scalars(select(Chunk).where(Chunk.job_id == job_id)).all()).values():
                steps = [step for chunk in chunks for step in unpack(chunk.packed).steps.tolist()]
                if steps != sorted(set(steps)):
                    found.append(f"I5 {job_id}: {chunks[0].series} has repeated or unordered steps")
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
            stored = {key.rpartition("/")[0] for key in store.keys(f"jobs/{job_id}")}
            if orphans := stored - {row.prefix for row in rows}:
                found.append(f"I9 {job_id}: {sorted(orphans)} are in the store and in no row")
            if (left := fleet.settings.scratch / job_id).exists():
                found.append(f"I9 {job_id}: {[str(path) for path in left.rglob('*')]} were left")
    if surplus := fleet.surplus():
        found.append(f"I9 {len(surplus)} trainers live: {surplus}")
    return found


def wrong_life(tx: Session, job: Job) -> list[str]:
    """I2, I3, I4, I8 and I10 in the rows of a job that has succeeded."""
    events = tx.scalars(select(Event).where(Event.job_id == job.id).order_by(Event.seq)).all()
    attempts = {row.attempt: row for row in tx.scalars(select(Attempt).where(Attempt.job_id == job.id))}
    found = [*_wrong_moves(moves(tx, job.id)), *_wrong_events(events), *_endless_losses(events)]
    if attempts.keys() != set(range(1, job.attempt + 1)):
        found.append(("I3", f"attempts {sorted(attempts)}, and it is at {job.attempt}"))
    for row in tx.scalars(select(Checkpoint).where(Checkpoint.job_id == job.id)):
        holder = attempts.get(row.attempt)
        if holder is None or not holder.started_at <= row.created_at <= (holder.ended_at or math.inf):
            found.append(("I4", f"the checkpoint of step {row.step} came outside attempt {row.attempt}"))
    return [f"{number} {job.id}: {what}" for number, what in found]


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
            found.append(("I4", f"{from_} → {to} by attempt {move['attempt']} during attempt {attempt}"))
        state, attempt = to, move["attempt"]
    if (ends := sum(State(move["to"]).is_terminal for move in path)) != 1:
        found.append(("I8", f"{ends} ends"))
    return found


def _wrong_events(events: Sequence[Event]) -> list[tuple[str, str]]:
    """I4: checkpoints, warnings and log lines of an attempt that had ended or had not begun."""
    found: list[tuple[str, str]] = []
    attempt = 0
    for event in events:
        if event.kind == "state" and event.data["to"] == State.STARTING:
            attempt = event.attempt
        if event.kind != "state" and event.attempt != attempt:
            found.append(("I4", f"a {event.kind} event by attempt {event.attempt} during attempt {attempt}"))
    return found


def _endless_losses(events: Sequence[Event]) -> list[tuple[str, str]]:
    """I10: a job that was lost three times between two checkpoints and was tried again."""
    found: list[tuple[str, str]] = []
    losses = 0
    for event in events:
        if event.kind == "checkpoint":
            losses = 0
        elif event.kind == "state" and event.data["from"] in LEASED and event.data["to"] == State.QUEUED:
            losses += event.data["reason"] != "worker drained"
            if losses > 2:
                found.append(("I10", f"{losses} losses without progress up to attempt {event.attempt}"))
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
