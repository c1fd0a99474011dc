"""Random kills with SIGKILL, and their effect on jobs."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psutil
from sqlalchemy import select

from models.records.tables import Job
from tests.chaos.fleet import Fleet
from tests.chaos.invariants import Outcome, outcome, violations

COMMON: dict[str, Any] = {"checkpoints": {"every_steps": 20, "keep_last": 2}}
SPECS: dict[str, dict[str, Any]] = {
    "images": {
        "architecture": {"kind": "cnn", "channels": [4, 8], "hidden": [16], "dropout": 0.3},
        "dataset": {"id": "digits"},
        "hyperparameters": {
            "epochs": 15,
            "ema": 0.9,
            "augmentations": [{"kind": "shift", "pixels": 1}, {"kind": "mixup"}],
            "schedule": {"kind": "cosine", "warmup_steps": 20},
        },
        # The best may wait, and must not be lost by that.
        "checkpoints": {**COMMON["checkpoints"], "min_seconds": 0.3},
        "resources": {"data_workers": 2},
    },
    "folds": {
        "architecture": {"kind": "mlp", "hidden": [16], "dropout": 0.2},
        "dataset": {"id": "wine", "split": {"kind": "folds", "n": 3}},
        "hyperparameters": {"epochs": 40, "early_stopping": {"patience": 12}, "optimizer": {"kind": "muon"}},
    },
    "words": {
        "architecture": {"kind": "rnn", "hidden": 12, "embedding": 12, "dropout": 0.3},
        "dataset": {"id": "docstrings"},
        "hyperparameters": {"steps": 120, "augmentations": [{"kind": "token_dropout"}], "swa": {"start": 0.5}},
        "resources": {"data_workers": 3},
    },
    "numbers": {
        "architecture": {"kind": "mlp", "hidden": [16], "dropout": 0.4},
        "dataset": {"id": "diabetes"},
        "hyperparameters": {"epochs": 40, "optimizer": {"kind": "radam"}, "schedule": {"kind": "plateau"}},
        "resources": {"data_workers": 1},
    },
}
VICTIMS = {"trainer": 30, "worker": 25, "api": 15, "data worker": 10, "drain": 5, "everything": 5}
SERVERS = {"redis": 5, "postgres": 5}
HARMLESS = {"api", "redis", "drain"}
"""Kills that never cost a job an attempt without a checkpoint."""

ROUND = 100
"""Kills between two checks of the invariants."""


@dataclass
class Report:
    """The counts and the broken invariants of a storm."""

    mode: str
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    jobs: int = 0
    attempts: int = 0
    points: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)


class Standing(NamedTuple):
    """The state of a job. `losses` counts the lost attempts since its last checkpoint."""

    losses: int
    attempt: int
    is_over: bool


class Storm:
    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet, self.random = fleet, random.Random(seed)
        self.report = Report(fleet.mode, seed)
        self.running: dict[str, str] = {}
        self.calm: dict[str, Outcome] = {}
        self.submitted: dict[str, str] = {}
        self.struck: dict[str, int] = {}
        """The attempt of each job at the last kill."""

    def rounds(self, kills: int, at_once: int = 2) -> Iterator[Report]:
        """Do `kills` kills, while `at_once` jobs run at a time.

        At the end of each round, the jobs finish and the invariants are checked. A round with a broken invariant is the
        last one. Yields the same report after each round.
        """
        began = time.monotonic()
        for name, spec in SPECS.items():
            job = self.fleet.finish(self.fleet.ask(lambda client, spec=spec: client.submit(COMMON | spec)).id)  # type: ignore[misc]
            self.calm[name] = self.fleet.ask(lambda client, job=job: outcome(client, job.id))  # type: ignore[misc]
        while self.report.kills.total() < kills and not self.report.violations:
            self._kill_until(min(kills, self.report.kills.total() + ROUND), at_once)
            expected = {job_id: self.calm[name] for job_id, name in self.submitted.items()}
            self.report.violations = violations(self.fleet, expected)
            self._count()
            self.report.seconds = round(time.monotonic() - began, 1)
            yield self.report

    def _kill_until(self, kills: int, at_once: int) -> None:
        """Do one round. Afterwards, `submitted` holds its jobs, which have all ended."""
        self.submitted.clear()
        while self.report.kills.total() < kills:
            self._refill(at_once)
            time.sleep(self.random.uniform(0.0, 3.0))
            self._strike()
        for job_id in self.running:
            self.fleet.finish(job_id)
        self.running.clear()
        self._settle()

    def _refill(self, at_once: int) -> None:
        states = self._states()
        self.running = {job_id: name for job_id, name in self.running.items() if not states[job_id].is_over}
        while len(self.running) < at_once:
            name = [*SPECS][(self.report.jobs + len(self.submitted)) % len(SPECS)]
            job = self.fleet.ask(lambda client, name=name: client.submit(COMMON | SPECS[name]))  # type: ignore[misc]
            self.running[job.id] = self.submitted[job.id] = name

    def _strike(self) -> None:
        victims = VICTIMS | (SERVERS if self.fleet.mode == "production" else {})
        if any(
            # The last kill may have ended this attempt although the loss is not in the table yet.
            state.losses + (self.struck.get(job_id) == state.attempt) >= 2
            for job_id, state in self._states().items()
            if not state.is_over
        ):
            # Three losses without a checkpoint end a job correctly. So do mostly nothing until it has a checkpoint.
            victims = {name: weight for name, weight in victims.items() if name in HARMLESS} | {"nobody": 100}
        victim = self.random.choices([*victims], [*victims.values()])[0]
        if victim != "nobody" and self._kill(victim):
            self.report.kills[victim] += 1
            if victim not in HARMLESS:
                self.struck = {job_id: state.attempt for job_id, state in self._states().items()}

    def _kill(self, victim: str) -> bool:
        """Kill a process. False if there was none to kill."""
        fleet = self.fleet
        if victim == "trainer" or victim == "data worker":
            until = time.monotonic() + 5
            while not (processes := self._at(victim)):
                if time.monotonic() > until:
                    return False
                time.sleep(0.02)
            with suppress(psutil.NoSuchProcess):
                self.random.choice(sorted(processes, key=lambda process: process.pid)).kill()
        elif victim == "drain":
            fleet.drain()
        elif victim == "everything":
            fleet.kill_everything()
        elif victim == "redis" or victim == "postgres":
            server = fleet.redis if victim == "redis" else fleet.postgres
            assert server is not None
            server.kill()
            time.sleep(self.random.uniform(0.0, 2.0))
            server.start()
        else:
            fleet.kill(victim)
        return True

    def _at(self, victim: str) -> list[psutil.Process]:
        trainers = self.fleet.trainers()
        return trainers if victim == "trainer" else [child for trainer in trainers for child in _children(trainer)]

    def _states(self) -> dict[str, Standing]:
        """The state of every job, by id."""
        with self.fleet.opened() as (database, _), database.reading() as tx:
            rows = tx.execute(select(Job.id, Job.no_progress_losses, Job.attempt, Job.finished_at)).all()
        return {row.id: Standing(row.no_progress_losses, row.attempt, row.finished_at is not None) for row in rows}

    def _settle(self) -> None:
        """Wait until the sweeps have deleted what killed processes left."""
        until = time.monotonic() + 20
        while any(self.fleet.settings.scratch.glob("job_*")) and time.monotonic() < until:
            time.sleep(0.2)

    def _count(self) -> None:
        for job_id in self.submitted:
            job = self.fleet.ask(lambda client, job_id=job_id: client.job(job_id))  # type: ignore[misc]
            series = self.fleet.ask(lambda client, job_id=job_id: client.metrics(job_id)).series  # type: ignore[misc]
            self.report.jobs += 1
            self.report.attempts += job.attempt
            self.report.points += sum(len(points.steps) for points in series.values())


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []
