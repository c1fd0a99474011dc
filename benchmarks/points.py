"""Write and read 200,000 metric points of one series, on SQLite and on PostgreSQL."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select

from api import schema
from models.records import keys, metrics
from models.records.chunks import Points
from models.records.database import Database, now
from models.records.tables import Chunk, Dataset, Job
from tests import servers

POINTS, BATCH = 200_000, 512


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, servers.postgres() as postgres_url:
        return {
            "sqlite": _through(f"sqlite:///{Path(folder) / 'points.db'}"),
            "postgresql": _through(postgres_url),
        }


def _through(url: str) -> dict[str, float]:
    database = Database(url)
    schema.upgrade(database)
    job_id = _job(database)
    draw = np.random.default_rng(0)
    steps = np.arange(1, POINTS + 1)
    values = np.exp(-steps / 50_000) + 0.05 * draw.standard_normal(POINTS)
    times = 1.8e9 + 0.013 * steps + 0.001 * draw.standard_normal(POINTS)
    points = Points.of(steps, values, times)
    began = time.perf_counter()
    for start in range(0, POINTS, BATCH):
        with database.writing() as tx:
            metrics.append(tx, job_id, {"train/loss": points[start : start + BATCH]})
    written = time.perf_counter() - began
    began = time.perf_counter()
    with database.reading() as tx:
        whole = metrics.read(tx, job_id, ["train/loss"], None, None)
        read = time.perf_counter() - began
        began = time.perf_counter()
        metrics.read(tx, job_id, ["train/loss"], None, 1000)
        thinned = time.perf_counter() - began
        packed = tx.scalar(select(func.sum(func.length(Chunk.packed)))) or 0
    assert whole.series["train/loss"].values == values.tolist()
    database.close()
    return {
        "write_points_per_s": round(POINTS / written),
        "bytes_per_point": round(packed / POINTS, 1),
        "read_all_ms": round(1000 * read, 1),
        "read_1000_of_all_ms": round(1000 * thinned, 1),
    }


def _job(database: Database) -> str:
    with database.writing() as tx:
        key = keys.create(tx, "benchmark")
        tx.add(
            Dataset(
                id="none", name="none", format="none", rows=1, bytes=1, identity="", sha256="", schema={}, warnings=[],
                blob="", created_at=0.0,
            )
        )  # fmt: skip
        tx.flush()
        job = Job(
            id="job_points", key_id=key.split("_")[1], spec={}, plan={}, dataset_id="none", request_sha256="",
            state="queued", device="cpu", priority=0, not_before=0.0, created_at=now(),
        )  # fmt: skip
        tx.add(job)
    return "job_points"
