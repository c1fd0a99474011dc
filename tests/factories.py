"""Rows for tests: each function inserts one thing, valid as it stands, and returns its id."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from athanor.contract import CheckpointFile, Column, Device, JobError, Schema, State
from athanor.files import WEIGHTS
from models.records import checkpoints, datasets, jobs, keys, workers
from models.records.chunks import Points
from models.records.database import now
from models.records.ids import new_id
from models.records.tables import Job

LEASE = 30.0
NOW = 1_800_000_000.0


def a_key(tx: Session, *, name: str = "test") -> str:
    """The public id of a new API key."""
    return keys.create(tx, name).split("_")[1]


def a_dataset(
    tx: Session,
    *,
    name: str = "flowers",
    format_: str = "csv",
    sha256: str | None = None,
    identity: str | None = None,
    columns: Sequence[Column] = (
        Column(name="x", kind="number"),
        Column(name="y", kind="category", classes=["a", "b"]),
    ),
    target: str | None = "y",
    blob: str = "datasets/flowers",
) -> str:
    new = datasets.New(
        id=new_id("ds"),
        name=name,
        format=format_,
        rows=150,
        bytes=4_551,
        sha256=sha256 or uuid4().hex * 2,
        identity=identity or uuid4().hex * 2,
        dialect={"delimiter": ","},
        schema=Schema(columns=list(columns), target=target),
        warnings=[],
        blob=datasets.Blob(blob, None),
    )
    return datasets.add(tx, new)


def a_worker(
    tx: Session,
    *,
    host: str = "furnace",
    machine: str = "m1",
    pid: int = 4711,
    pid_started: float = 1.5,
    device: Literal["cpu", "cuda"] = "cpu",
) -> str:
    worker_id = new_id("wrk")
    workers.enlist(
        tx,
        worker_id,
        host=host,
        machine=machine,
        pid=pid,
        pid_started=pid_started,
        version="0.1.0",
        mode="local",
        slots=1,
        devices=[Device(kind=device, name="a processor" if device == "cpu" else "a GPU")],
    )
    return worker_id


def a_spec(**parts: Any) -> dict[str, Any]:
    """A job spec as it is sent, with the given fields on top."""
    return {
        "architecture": {"kind": "mlp"},
        "dataset": {"id": "iris"},
        **parts,
    }


def a_filled_spec(spec: dict[str, Any]) -> dict[str, Any]:
    """What stands in a spec once it is resolved, and need not be sent."""
    return {"checkpoints": {"mode": "min"}, "hyperparameters": {}, "tags": {}, **spec}


def a_submission(
    tx: Session,
    *,
    key_id: str | None = None,
    dataset_id: str | None = None,
    spec: dict[str, Any] | None = None,
    steps: int = 100,
    trainings: int = 1,
    device: str = "auto",
    priority: int = 0,
    request_sha256: str = "0" * 64,
    name: str | None = None,
    tags: dict[str, str] | None = None,
    idempotency_key: str | None = None,
) -> jobs.Submission:
    """What `jobs.submit` takes, with a key and a dataset of its own where none are given."""
    return jobs.Submission(
        key_id=key_id or a_key(tx),
        spec=spec or a_spec(tags=tags or {}),
        resolved={"spec": a_filled_spec(spec or a_spec(tags=tags or {}))},
        plan={"steps": steps, "trainings": trainings, "directions": {"loss": "min", "accuracy": "max"}},
        dataset_id=dataset_id or a_dataset(tx),
        device=device,
        priority=priority,
        request_sha256=request_sha256,
        name=name,
        tags=tags,
        idempotency_key=idempotency_key,
    )


def a_job(
    tx: Session,
    *,
    state: State = State.QUEUED,
    desired: Literal["run", "pause", "cancel"] | None = None,
    attempts: int | None = None,
    worker_id: str | None = None,
    device: str = "auto",
    **submission: Any,
) -> str:
    """A job that came to `state` by the transitions that lead there.

    `desired` is what the user wants of a job that is starting or running. `attempts` is how often it was claimed;
    as a rule not at all where it is queued, and once otherwise. The rest is for `a_submission`.
    """
    # Queued for a device nobody else serves, so that the claims below take this job and no other.
    alone = uuid4().hex[:20]
    job_id, _ = jobs.submit(tx, a_submission(tx, device=alone, **submission))
    if attempts == 0:
        _bring_unclaimed(tx, job_id, state)
    for left in reversed(range(attempts if attempts is not None else state != State.QUEUED)):
        claim = jobs.claim(tx, worker_id or a_worker(tx), [alone], LEASE)
        assert claim is not None
        if left or state == State.QUEUED:
            jobs.release(tx, job_id, claim.attempt)
        else:
            _bring(tx, job_id, claim.attempt, state)
    tx.execute(update(Job).where(Job.id == job_id).values(device=device))
    if desired == "pause":
        jobs.pause(tx, job_id)
    elif desired == "cancel":
        jobs.cancel(tx, job_id)
    return job_id


def _bring_unclaimed(tx: Session, job_id: str, state: State) -> None:
    if state == State.PAUSED:
        jobs.pause(tx, job_id)
    elif state == State.CANCELLED:
        jobs.cancel(tx, job_id)
    else:
        assert state == State.QUEUED, f"no job is {state} before its first attempt"


def _bring(tx: Session, job_id: str, attempt: int, state: State) -> None:
    """From starting to any later state, within this attempt."""
    if state == State.STARTING:
        return
    jobs.begin(tx, job_id, attempt, [(4712, None)], "cpu", {"torch": "2"})
    if state == State.SUCCEEDED:
        jobs.succeed(tx, job_id, attempt)
    elif state == State.FAILED:
        jobs.fail(tx, job_id, attempt, JobError(code="diverged", message="the loss is NaN"))
    elif state == State.CANCELLED:
        jobs.cancel(tx, job_id)
        jobs.release(tx, job_id, attempt)
    elif state == State.PAUSED:
        jobs.pause(tx, job_id)
        jobs.release(tx, job_id, attempt)


def an_attempt(tx: Session, *, job_id: str) -> int:
    """The number of a job's newest attempt."""
    return tx.scalars(select(Job.attempt).where(Job.id == job_id)).one()


def a_claim(tx: Session, *, worker_id: str | None = None, devices: Sequence[str] = ("auto", "cpu")) -> jobs.Claim:
    """The best queued job, in the hands of a worker. Waits for none: a job's back-off counts as over."""
    tx.execute(update(Job).where(Job.state == State.QUEUED).values(not_before=now() - 1))
    claim = jobs.claim(tx, worker_id or a_worker(tx), list(devices), LEASE)
    assert claim is not None
    return claim


def a_new_checkpoint(
    *,
    step: int,
    score: float | None = None,
    reason: str = "cadence",
    prefix: str | None = None,
    member: int | None = None,
) -> checkpoints.New:
    """What `jobs.commit_checkpoint` takes."""
    files = [CheckpointFile(name=WEIGHTS, bytes=10, sha256="a" * 64)]
    return checkpoints.New(step, step / 10, reason, score, prefix or f"jobs/x/{step}", files, member)


def a_checkpoint(tx: Session, *, job_id: str, step: int, score: float | None = None, reason: str = "cadence") -> str:
    """A committed checkpoint of a running job."""
    new = a_new_checkpoint(step=step, score=score, reason=reason)
    return jobs.commit_checkpoint(tx, job_id, an_attempt(tx, job_id=job_id), new)


def some_points(*, start: int, stop: int, values: Sequence[float] | None = None) -> Points:
    """Points of the steps from `start` up to, not including, `stop`: a value and a moment for each."""
    steps = list(range(start, stop))
    return Points.of(steps, list(values or [1 / step for step in steps]), [NOW + step / 8 for step in steps])


def expire_lease(tx: Session, *, job_id: str) -> None:
    """As if the holder had been silent for too long."""
    tx.execute(update(Job).where(Job.id == job_id).values(lease_expires_at=now() - 1))
