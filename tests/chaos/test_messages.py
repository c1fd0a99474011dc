"""Each job is started once, and only if the table allows it, whatever messages Redis holds."""

import os
import random
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import select

from athanor.contract import State
from models.broker import TASK, producer
from models.records.tables import Job
from tests.chaos.fleet import Fleet

JOBS = int(os.environ.get("JOBS", "400"))

pytestmark = [pytest.mark.proof, pytest.mark.timeout(max(300, JOBS))]

SPEC: dict[str, Any] = {
    "architecture": {"kind": "mlp", "hidden": [4]},
    "dataset": {"id": "iris"},
    "hyperparameters": {"steps": 3},
}


class Meddler:
    """Deletes three of ten rings, and sends one to five messages for each ring: repeated, reordered or forged."""

    def __init__(self, url: str, forbidden: list[str]) -> None:
        self.app, self.queue, self.rng = producer(url), redis.Redis.from_url(url), random.Random(5)
        self.forged: list[Any] = [*forbidden, "job_" + "0" * 32, "../../etc/passwd", "'; DROP TABLE jobs; --", 7, [[]]]
        self.recent: deque[str] = deque(maxlen=100)

    def meddle(self, job_id: str) -> None:
        rng = self.rng
        if rng.random() < 0.3:
            self.queue.delete("celery")
        self.recent.append(job_id)
        for _ in range(rng.randint(1, 5)):
            named = rng.choice([job_id, rng.choice(self.recent), rng.choice(self.forged)])
            self.app.send_task(TASK, args=[rng.choice([{"v": 1, "job_id": named}, {"v": 9}, named])])
        waiting = self.queue.lrange("celery", 0, 20)
        if len(waiting) > 1 and rng.random() < 0.3:
            self.queue.rpush("celery", rng.choice(waiting))
        if rng.random() < 0.05:
            self.queue.rpush("celery", rng.choice([b"no json", b"{}", b'{"body": "gA=="}']))


def test_each_job_is_started_once(tmp_path: Path) -> None:
    """Mimes run the jobs. They train nothing, so there can be many jobs."""
    with Fleet("production", tmp_path / "fleet", slots=2, workers=2, mime=True) as fleet:
        # No slot of this service can run these two jobs.
        paused, waiting = (
            fleet.client.submit(SPEC | {"resources": {"device": "cuda", "data_workers": n}}).id for n in (0, 1)
        )
        fleet.client.pause(paused)
        assert fleet.redis is not None
        meddler = Meddler(fleet.redis.url, [paused, waiting])
        jobs = []
        for _ in range(JOBS):
            jobs.append(fleet.client.submit(SPEC).id)
            meddler.meddle(jobs[-1])
        until = time.monotonic() + 60 + JOBS / 5
        while (left := unfinished(fleet)) != {paused, waiting}:
            assert time.monotonic() < until, f"{len(left)} of {JOBS} have not ended: {fleet.log()}"
            time.sleep(0.2)
        marks = (fleet.armed / "starts").read_text().splitlines()
        assert Counter(Path(mark).parts[-3] for mark in marks) == dict.fromkeys(jobs, 1)
        with fleet.opened() as (database, _), database.reading() as tx:
            rows = tx.execute(select(Job.id, Job.state, Job.attempt)).all()
    assert {row.id: (row.state, row.attempt) for row in rows} == {
        **dict.fromkeys(jobs, (State.SUCCEEDED, 1)),
        paused: (State.PAUSED, 0),
        waiting: (State.QUEUED, 0),
    }


def unfinished(fleet: Fleet) -> set[str]:
    with fleet.opened() as (database, _), database.reading() as tx:
        return {*tx.scalars(select(Job.id).where(Job.finished_at.is_(None)))}
