"""Samples a second of a job in the service, beside a plain PyTorch loop with one thread and with PyTorch's default.

Each round runs all three, one after the other, so that a change of the machine's speed meets all of them alike.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from athanor.client import Client
from athanor.contract import State
from benchmarks.plain_loop import LR, WARM
from benchmarks.workloads import WORKLOADS, Workload
from tests.services import Embedded

ROUNDS = 3
ROOT = Path(__file__).parents[1]


def measure(names: Sequence[str] = tuple(WORKLOADS)) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Embedded(Path(folder) / "data") as service,
        service.client() as client,
    ):
        for name in names:
            workload, own = WORKLOADS[name], Path(folder) / name
            own.mkdir()
            dataset = client.upload(workload.write(workload, own)).id
            rounds = [
                (_plain(name, "1"), _plain(name, "default"), *_job(client, workload, dataset)) for _ in range(ROUNDS)
            ]
            results[name] = {
                "plain_1_thread_per_s": _middle([one for one, _, _, _ in rounds]),
                "plain_default_per_s": _middle([default for _, default, _, _ in rounds]),
                "job_per_s": _middle([job for _, _, job, _ in rounds]),
                "threads": rounds[-1][3],
                "to_1_thread": _ratios([job / one for one, _, job, _ in rounds]),
                "to_default": _ratios([job / default for _, default, job, _ in rounds]),
                "to_better": _ratios([job / max(one, default) for one, default, job, _ in rounds]),
            }
            print(name, results[name], flush=True)
    return results


def _plain(name: str, threads: str) -> float:
    command = [sys.executable, "-m", "benchmarks.plain_loop", name, threads]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def _job(client: Client, workload: Workload, dataset: str) -> tuple[float, int | None]:
    """Samples a second of a job, from its own points, after the same share of its steps; and its threads.

    Its evaluations, metrics and checkpoints count.
    """
    spec = {
        "architecture": workload.architecture,
        "dataset": {"id": dataset, **workload.dataset},
        "hyperparameters": {
            "steps": workload.steps,
            "batch_size": workload.batch,
            "optimizer": {"kind": "adam", "lr": LR, "weight_decay": 0.0},
            "schedule": None,
            "clip_norm": None,
            "early_stopping": None,
        },
    }
    job = client.wait(client.submit(spec).id)
    assert job.state is State.SUCCEEDED, job.error
    times = client.metrics(job.id, "lr", max_points=2 * workload.steps).series["lr"].times
    warm = int(WARM * workload.steps)
    # The last batch of an epoch is smaller.
    plan = client.plan(spec)
    rows = plan.train_rows / plan.steps_per_epoch
    return rows * (len(times) - 1 - warm) / (times[-1] - times[warm]), job.threads


def _middle(values: list[float]) -> int:
    return round(statistics.median(values))


def _ratios(values: list[float]) -> dict[str, float]:
    """The median of the rounds, and the smallest and the largest of them."""
    return {"median": round(statistics.median(values), 2), "min": round(min(values), 2), "max": round(max(values), 2)}
