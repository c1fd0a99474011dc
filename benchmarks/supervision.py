"""The overhead of supervision: seconds per step of a trainer in the service, and of the same trainer alone."""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from athanor import Client
from athanor.contract import Job, State
from models.records import datasets, job_views
from models.records.database import Database
from models.settings import Settings
from models.storage.store import fetch, open_store
from tests.services import Embedded
from worker.supervision.trainer_start import COMMAND, ROOT

ROUNDS = 7
WARM = 200
"""The first steps, which are not counted, because caches fill and threads start."""

SPECS: dict[str, dict[str, Any]] = {
    "mlp": {
        "architecture": {"kind": "mlp", "hidden": [64]},
        "dataset": {"id": "digits"},
        "hyperparameters": {"steps": 12_000},
        "checkpoints": {"every_steps": 2000},
    },
    "cnn": {
        "architecture": {"kind": "cnn", "channels": [16, 32], "hidden": [64]},
        "dataset": {"id": "digits"},
        "hyperparameters": {"steps": 2000},
        "checkpoints": {"every_steps": 500},
    },
}


def measure() -> dict[str, Any]:
    """Run each spec in the service and alone, in turn, so that changes in the machine's load affect both."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Embedded(Path(folder) / "data") as service,
        service.client() as client,
    ):
        return {name: _compare(client, service.data, spec) for name, spec in SPECS.items()}


def _compare(client: Client, data: Path, spec: dict[str, Any]) -> dict[str, float]:
    inside, alone = [], []
    for _ in range(ROUNDS):
        job = client.wait(client.submit(spec).id, timeout=300)
        assert job.state is State.SUCCEEDED, job.error
        points = client.metrics(job.id, "train/loss").series["train/loss"]
        inside.append(_pace(points.steps, points.times))
        with tempfile.TemporaryDirectory() as folder:
            alone.append(_alone(client, data, job, Path(folder)))
    overhead = [a / b - 1 for a, b in zip(inside, alone, strict=True)]
    return {
        "rounds": ROUNDS,
        "in_the_service_ms": round(1000 * statistics.median(inside), 4),
        "alone_ms": round(1000 * statistics.median(alone), 4),
        "overhead_percent": round(100 * statistics.median(overhead), 2),
        "least_percent": round(100 * min(overhead), 2),
        "most_percent": round(100 * max(overhead), 2),
    }


def _pace(steps: list[int], times: list[float]) -> float:
    """Seconds per step after the first WARM steps."""
    first = next(place for place, step in enumerate(steps) if step >= WARM)
    return (times[-1] - times[first]) / (steps[-1] - steps[first])


def _alone(client: Client, data: Path, job: Job, folder: Path) -> float:
    """Seconds per step of the same job in a trainer without a supervisor. Its messages go into a file.

    The trainer waits until each snapshot is taken, so the snapshots are removed.
    """
    rows = folder / "dataset.parquet"
    settings = Settings(data=data, database_url=None, redis_url=None, store=None)
    database = Database(settings.database)
    with database.reading() as tx:
        blob = datasets.blob_of(tx, job.dataset_id)
        resolved = job_views.resolved(tx, job.id)
    fetch(open_store(settings, database), blob.key, rows)
    database.close()
    (folder / "room").mkdir()
    order = {
        "resolved": resolved,
        "schema": client.dataset(job.dataset_id).schema_.model_dump(mode="json"),
        "dataset": str(rows),
        "folder": str(folder / "room"),
        "threads": 1,
        "most_threads": None,
        "found_threads": None,
        "memory": settings.limits.trainer_memory_bytes,
        "resume": None,
        "best": None,
        "origin": None,
    }
    with (folder / "messages").open("wb") as messages:
        process = subprocess.Popen(
            [*COMMAND, str(messages.fileno())],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(messages.fileno(),),
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        until = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < until:
            _take(folder / "room")
            time.sleep(0.01)
        assert process.poll() == 0
        process.stdin.close()
    sent = [json.loads(line) for line in (folder / "messages").read_text().splitlines()]
    columns = [message["series"]["train/loss"] for message in sent if "train/loss" in message.get("series", {})]
    return _pace([step for steps, _, _ in columns for step in steps], [at for _, _, times in columns for at in times])


def _take(room: Path) -> None:
    for snapshot in room.glob("step-*[0-9]"):
        shutil.rmtree(snapshot)
