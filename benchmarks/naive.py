"""Kill the workers of a simple Celery training task, and count lost jobs, duplicate points and changed weights."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from celery import Celery

from benchmarks import naive_app
from tests.servers import Redis

JOBS, KILLS, PATIENCE, SEED = 4, 8, 20.0, 1
ROOT = Path(__file__).parents[1]


def measure() -> dict[str, Any]:
    """Run the same kills with early and with late acknowledgement, and compare with a run without kills."""
    calm = _storm("early", 0)
    return {ack: {"kills": KILLS, "jobs": JOBS, **_score(calm, _storm(ack, KILLS))} for ack in ("early", "late")}


def _score(calm: dict[str, list[Any]], killed: dict[str, list[Any]]) -> dict[str, Any]:
    ended = {job for job, _ in killed["ends"]}
    points = killed["points"]
    return {
        f"jobs_not_ended_{PATIENCE:.0f}_s_after_the_last_word": JOBS - len(ended),
        "jobs_run_more_than_once_to_the_end": len(killed["ends"]) - len(ended),
        "points_twice": len(points) - len(set(points)),
        "jobs_with_the_weights_of_an_undisturbed_run": len(set(killed["ends"]) & set(calm["ends"])),
    }


def _storm(ack: str, kills: int) -> dict[str, list[Any]]:
    """The tables `ends` and `points` after all jobs have ended, or after PATIENCE seconds without a new point."""
    rng = random.Random(SEED)  # nosec B311 # the same kills each time
    with tempfile.TemporaryDirectory() as folder, Redis() as redis:
        environment = {**os.environ, "NAIVE_REDIS": redis.url, "NAIVE_ACK": ack}
        record = naive_app.record(Path(folder))
        sender = Celery(broker=redis.url)
        for job in range(JOBS):
            sender.send_task(naive_app.train.name, args=[job, folder])
        worker = _start(environment)
        done, moved, seen, at_kill = 0, time.monotonic(), -1, 0
        while time.monotonic() - moved < PATIENCE:
            ends = {job for (job,) in record.execute("SELECT job FROM ends")}
            if len(ends) == JOBS:
                break
            count = record.execute("SELECT count(*) FROM points").fetchone()[0]
            if count != seen:
                seen, moved = count, time.monotonic()
            time.sleep(rng.uniform(0.1, 1.0))
            # Kill only after new points, because a worker that is still starting has nothing to lose.
            if done < kills and count > at_kill + 300:
                _kill(rng, worker)
                done, at_kill = done + 1, count
            if worker.poll() is not None:
                worker = _start(environment)
        _end(worker)
        rows = {
            "ends": record.execute("SELECT job, weights FROM ends").fetchall(),
            "points": record.execute("SELECT job, step FROM points").fetchall(),
        }
        record.close()
    return rows


def _start(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.naive_app", "worker", "-c", "2", "--loglevel", "ERROR"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)


def _kill(rng: random.Random, worker: "subprocess.Popen[bytes]") -> None:
    """Kill a random process of the pool, or the worker with its whole pool."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(worker.pid).children()
        if children and rng.random() < 0.6:
            rng.choice(children).kill()
        else:
            _end(worker)


def _end(worker: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
