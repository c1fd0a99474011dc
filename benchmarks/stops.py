"""Time from a cancellation to the end of all processes, and from a kill to the orphan's end and to the next step."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from athanor import Client
from athanor.contract import Job, State
from tests.services import Embedded

ROUNDS = 10
SPEC: dict[str, Any] = {
    "architecture": {"kind": "cnn", "channels": [8, 16], "hidden": [32]},
    "dataset": {"id": "digits"},
    "hyperparameters": {"epochs": 2000},
    "checkpoints": {"every_steps": 20, "keep_best": 0},
}


def measure() -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Embedded(Path(folder) / "data") as service,
        service.client() as client,
    ):
        cancelled = [_cancel(client) for _ in range(2 * ROUNDS)]
        job = _running(client)
        trainers = [_replaced(client, job.id, _trainer(service)) for _ in range(ROUNDS)]
        orphans, workers = zip(*(_orphaned(service, client, job.id) for _ in range(ROUNDS)), strict=True)
        client.cancel(job.id)
    return {
        "cancel_to_no_process": _summary(cancelled),
        "orphan_after_its_supervisor": _summary(list(orphans)),
        "killed_trainer_to_running_again": _summary(trainers),
        "killed_worker_to_running_again": _summary(list(workers)),
    }


def _summary(seconds: list[float]) -> dict[str, float]:
    return {
        "n": len(seconds),
        "median_s": round(statistics.median(seconds), 3),
        "max_s": round(max(seconds), 3),
    }


def _running(client: Client) -> Job:
    job = client.submit(SPEC)
    while client.job(job.id).progress.step < 40:
        time.sleep(0.01)
    return job


def _cancel(client: Client) -> float:
    """Seconds from the request to the end of the last process, as the service reports them (`stop_seconds`)."""
    job = _running(client)
    client.cancel(job.id)
    ended = client.wait(job.id, timeout=60)
    assert ended.state is State.CANCELLED and ended.stop_seconds is not None
    return ended.stop_seconds


def _trainer(service: Embedded) -> psutil.Process:
    return max(service.trainers(), key=lambda process: process.cpu_percent(0.2))


def _replaced(client: Client, job_id: str, victim: psutil.Process) -> float:
    """Seconds from the kill of a trainer to the first new step of the next attempt."""
    before, began = client.job(job_id), time.monotonic()
    victim.kill()
    return _next(client, before, began)


def _orphaned(service: Embedded, client: Client, job_id: str) -> tuple[float, float]:
    """Seconds from the kill of a worker to the end of its trainer, and to the first new step."""
    trainer, (worker,) = _trainer(service), service.descendants("worker.local")
    before, began = client.job(job_id), time.monotonic()
    worker.kill()
    while trainer.is_running() and trainer.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.0005)
    return time.monotonic() - began, _next(client, before, began)


def _next(client: Client, before: Job, began: float) -> float:
    """Seconds from `began` until a later attempt has passed the step of `before`."""
    while True:
        job = client.job(before.id)
        if job.attempt > before.attempt and job.state is State.RUNNING and job.progress.step > before.progress.step:
            break
        time.sleep(0.01)
    took = time.monotonic() - began
    # A job fails after three lost attempts without a checkpoint, so wait for a checkpoint.
    while client.job(before.id).progress.step < job.progress.step + 45:
        time.sleep(0.02)
    return took
