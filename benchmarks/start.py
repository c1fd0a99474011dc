"""Time from POST /v1/jobs to the end of the first training step, one job after another, and tiny jobs a second.

Embedded and with Celery, each with one slot.
"""

import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from athanor.contract import State
from tests import servers
from tests.services import Embedded, Production, Running

ROUNDS, MANY = 15, 40
SPEC = {"architecture": {"kind": "mlp"}, "dataset": {"id": "digits"}, "hyperparameters": {"steps": 20}}


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        with Embedded(Path(folder) / "embedded") as embedded:
            results = {"embedded": _rounds(embedded)}
        with (
            servers.postgres() as database_url,
            servers.redis() as redis_url,
            Production(Path(folder) / "production", database_url, redis_url) as production,
        ):
            results["celery"] = _rounds(production)
    return results


def _rounds(service: Running) -> dict[str, float]:
    """Statistics in milliseconds. The first round is left out, because it also stores the built-in dataset."""
    seconds = []
    with service.client() as client:
        for _ in range(ROUNDS + 1):
            asked = time.time()
            job = client.wait(client.submit(SPEC).id, timeout=60)
            assert job.state is State.SUCCEEDED, job.error
            first = client.metrics(job.id, "train/loss").series["train/loss"].times[0]
            assert datetime.fromisoformat(job.created_at).timestamp() >= asked - 1
            seconds.append(first - asked)
    return {
        "median_ms": round(1000 * statistics.median(seconds[1:]), 1),
        "min_ms": round(1000 * min(seconds[1:]), 1),
        "max_ms": round(1000 * max(seconds[1:]), 1),
        "rounds": ROUNDS,
        "tiny_jobs_per_s": _many(service),
    }


def _many(service: Running) -> float:
    """Tiny jobs a second, submitted one by one and at once, until the last one has ended."""
    with service.client() as client:
        began = time.monotonic()
        jobs = [client.submit(SPEC).id for _ in range(MANY)]
        for job in jobs:
            assert client.wait(job, timeout=300).state is State.SUCCEEDED
        return round(MANY / (time.monotonic() - began), 2)
