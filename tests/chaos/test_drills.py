"""Drills for failures around the service: frozen machines, lost messages, dead servers, bad disks and clocks."""

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from athanor import Client
from athanor.contract import TERMINAL, State
from models.records import checkpoints
from tests.chaos.failpoints import arm
from tests.chaos.fleet import Fleet, Mode
from tests.chaos.invariants import Outcome, outcome, violations
from tests.chaos.test_failpoints import SPEC, settle
from tests.rows import job_row
from tests.worker.test_recovery import freeze

pytestmark = [pytest.mark.proof, pytest.mark.timeout(300)]

LONG: dict[str, Any] = {**SPEC, "hyperparameters": {**SPEC["hyperparameters"], "epochs": 10}}
PACE = 0.02
"""Seconds that a trainer waits before each step: a job must not end before the drill begins."""

RESTARTS, EVERY = int(os.environ.get("RESTARTS", "4")), float(os.environ.get("EVERY", "2"))
"""How often PostgreSQL is restarted, and seconds between two restarts."""

SHORT: dict[str, Any] = {
    "architecture": {"kind": "mlp", "hidden": [4]},
    "dataset": {"id": "iris"},
    "hyperparameters": {"steps": 3},
}


@pytest.fixture(scope="module", params=["embedded", "production"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two workers, so that one can take over from the other."""
    with Fleet(cast(Mode, request.param), tmp_path_factory.mktemp("fleet"), workers=2, pace=PACE) as running:
        yield running


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet("production", tmp_path_factory.mktemp("fleet"), slots=2, pace=PACE) as running:
        yield running


@pytest.fixture(scope="module")
def calm(fleet: Fleet) -> Outcome:
    return undisturbed(fleet)


@pytest.fixture(scope="module")
def calm_production(production: Fleet) -> Outcome:
    return undisturbed(production)


def undisturbed(fleet: Fleet, spec: dict[str, Any] = LONG) -> Outcome:
    job = fleet.finish(start(fleet, spec))
    return fleet.ask(lambda client: outcome(client, job.id))


def start(fleet: Fleet, spec: dict[str, Any] = LONG) -> str:
    return fleet.ask(lambda client: client.submit(spec)).id


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until `true` returns a true value."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def step_of(fleet: Fleet, job_id: str) -> int:
    return fleet.ask(lambda client: client.job(job_id)).progress.step


def test_a_worker_frozen_for_twice_its_lease_has_no_effect_when_it_wakes(fleet: Fleet, calm: Outcome) -> None:
    job_id = start(fleet)
    until(lambda: step_of(fleet, job_id) > 60)
    trainer = fleet.trainer_of(job_id)
    (frozen,) = [worker for worker in map(psutil.Process, workers(fleet)) if trainer in worker.children(recursive=True)]
    freeze(frozen, None if fleet.postgres else fleet.data / "athanor.db")
    # A worker that is frozen in a transaction holds the row until PostgreSQL ends the transaction after 30 seconds.
    until(lambda: fleet.ask(lambda client: client.job(job_id)).attempt == 2, 90)
    assert not trainer.is_running() or trainer.status() == psutil.STATUS_ZOMBIE, "two trainers at one job"
    time.sleep(3)
    frozen.resume()
    assert fleet.finish(job_id).attempt == 2
    settle(fleet, job_id)
    assert violations(fleet, {job_id: calm}) == []


def workers(fleet: Fleet) -> list[int]:
    return [process.pid for name, process in fleet.processes.items() if name != "api"]


@pytest.mark.parametrize("name", ["weights.safetensors", "state.safetensors", "state.json", "preparation.json"])
def test_a_flipped_byte_is_found_and_the_checkpoint_before_is_used(name: str, fleet: Fleet, calm: Outcome) -> None:
    job_id = start(fleet, {**LONG, "checkpoints": {"every_steps": 25, "keep_last": 2, "keep_best": 1}})
    until(lambda: step_of(fleet, job_id) > 80)
    fleet.ask(lambda client: client.pause(job_id))
    until(lambda: fleet.ask(lambda client: client.job(job_id)).state is State.PAUSED)
    with fleet.opened() as (database, store):
        with database.reading() as tx:
            newest = checkpoints.newest(tx, job_id)
        assert newest is not None
        data = bytearray(b"".join(store.read(newest.key(name))))
        data[random.Random(name).randrange(len(data))] ^= 1 << random.Random(job_id).randrange(8)
        (fleet.folder / "flipped").write_bytes(data)
        store.put(newest.key(name), fleet.folder / "flipped")
    fleet.ask(lambda client: client.resume(job_id))
    job = fleet.finish(job_id)
    told = [event.data for event in fleet.ask(lambda client: client.events(job_id)).data if event.kind == "warning"]
    assert [warning["checkpoint"] for warning in told] == [newest.id] and name in told[0]["message"]
    assert job.attempt == 2
    settle(fleet, job_id)
    assert violations(fleet, {job_id: calm}) == []


def test_a_database_that_is_put_back_is_caught_up_with(fleet: Fleet, calm: Outcome, tmp_path: Path) -> None:
    """The last commits are lost. So the attempt's number is used again, and its files exist already."""
    job_id = start(fleet)
    until(lambda: step_of(fleet, job_id) > 60)
    with fleet.dark():
        copy(fleet, tmp_path, back=False)
        # Read the step here: after the block, a claim sets the job back to its checkpoint.
        with fleet.opened() as (database, _), database.reading() as tx:
            reached = job_row(tx, job_id).step
    until(lambda: step_of(fleet, job_id) > reached + 80)
    with fleet.dark():
        copy(fleet, tmp_path, back=True)
        with fleet.opened() as (database, _), database.reading() as tx:
            assert job_row(tx, job_id).step <= reached
    fleet.finish(job_id)
    settle(fleet, job_id)
    assert violations(fleet, {job_id: calm}) == []


def copy(fleet: Fleet, folder: Path, back: bool) -> None:
    """Copy the whole database to `folder`, or back from there, while no process uses it."""
    if fleet.postgres is None:
        for path in fleet.data.glob("athanor.db*") if not back else folder.glob("athanor.db*"):
            shutil.copyfile(path, (fleet.data if back else folder) / path.name)
        return
    url = make_url(fleet.postgres.url)
    name, aside = str(url.database), "aside"
    template = url.set(drivername="postgresql", database="template1").render_as_string(hide_password=False)
    with psycopg.connect(template, autocommit=True) as connection:
        source, target = (aside, name) if back else (name, aside)
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(target))
        connection.execute(drop)
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(target), sql.Identifier(source))
        connection.execute(made)


def test_everything_dies_at_once(fleet: Fleet, calm: Outcome) -> None:
    """A power cut: all processes die at once, the database included."""
    job_id = start(fleet)
    until(lambda: step_of(fleet, job_id) > 60)
    with fleet.dark():
        if fleet.postgres is not None and fleet.redis is not None:
            for server in (fleet.postgres, fleet.redis):
                server.kill()
                server.start()
    assert fleet.finish(job_id).attempt == 2
    settle(fleet, job_id)
    assert violations(fleet, {job_id: calm}) == []


def test_a_worker_that_is_stopped_loses_no_step(fleet: Fleet) -> None:
    # There is no other checkpoint that could coincide with the one at the stop.
    spec = {**LONG, "checkpoints": {"every_epochs": 500, "keep_best": 0}}
    calm, job_id = undisturbed(fleet, spec), start(fleet, spec)
    until(lambda: step_of(fleet, job_id) > 60)
    trainer = fleet.trainer_of(job_id)
    for name, process in fleet.processes.items():
        if name != "api" and trainer in psutil.Process(process.pid).children(recursive=True):
            process.terminate()
    job = fleet.finish(job_id)
    assert (job.attempt, job.preemptions, job.failures, job.worker_lost) == (2, 1, 0, 0)
    events = fleet.ask(lambda client: client.events(job_id)).data
    (stop,) = [event.data["step"] for event in events if event.kind == "checkpoint" and event.data["reason"] == "stop"]
    (again,) = [step.reason for step in job.transitions if step.to is State.STARTING and step.attempt == 2]
    assert again == f"resumes at step {stop}", "it goes on from where it stood, not from the last cadence"
    settle(fleet, job_id)
    assert violations(fleet, {job_id: calm}) == []


def test_three_losses_without_a_checkpoint_end_a_job_and_no_other(fleet: Fleet) -> None:
    endless = {**SPEC["hyperparameters"], "epochs": 500}
    poison = start(fleet, {**SPEC, "hyperparameters": endless, "checkpoints": {"every_epochs": 500, "keep_best": 0}})
    neighbor = start(fleet, SHORT)
    for attempt in (1, 2, 3):
        until(lambda attempt=attempt: fleet.ask(lambda client: client.job(poison)).attempt == attempt)  # type: ignore[misc]
        until(lambda: fleet.ask(lambda client: client.job(poison)).state is State.RUNNING)
        fleet.trainer_of(poison).kill()
    job = fleet.finish(poison)
    assert (job.state, job.attempt, job.failures) == (State.FAILED, 3, 3)
    assert job.error is not None and job.error.code == "exhausted"
    assert fleet.finish(neighbor).state is State.SUCCEEDED


def test_a_trainer_knows_no_address_and_no_key(fleet: Fleet) -> None:
    job_id = start(fleet)
    until(lambda: step_of(fleet, job_id) > 10)
    secrets = [fleet.key, *(server.password for server in (fleet.postgres, fleet.redis) if server is not None)]
    for trainer in fleet.trainers():
        known = repr(trainer.environ()) + repr(trainer.cmdline())
        assert not [name for name in ("ATHANOR", "postgresql", "redis://", *secrets) if name in known]
    fleet.ask(lambda client: client.cancel(job_id))
    fleet.finish(job_id)


@pytest.mark.parametrize("number", [0, 3])
def test_any_number_of_data_workers_is_the_same_job(number: int, fleet: Fleet, calm: Outcome) -> None:
    job_id = start(fleet, {**LONG, "resources": {"data_workers": number}})
    fleet.finish(job_id)
    settle(fleet, job_id)
    assert violations(fleet, {job_id: calm}) == []


@pytest.mark.parametrize("ahead", [3600, -3600])
@pytest.mark.parametrize("mode", ["embedded", "production"])
def test_a_clock_an_hour_off_changes_nothing(mode: Mode, ahead: int, tmp_path: Path) -> None:
    with Fleet(mode, tmp_path / "fleet", clock=ahead, pace=PACE) as fleet:
        calm = undisturbed(fleet)
        job_id = start(fleet)
        until(lambda: step_of(fleet, job_id) > 60)
        fleet.kill("worker")
        job = fleet.finish(job_id)
        assert job.attempt == 2
        times = [transition.at for transition in job.transitions]
        assert times == sorted(times) and times[-1][:13] == time.strftime("%Y-%m-%dT%H", time.gmtime())
        settle(fleet, job_id)
        assert violations(fleet, {job_id: calm}) == []


def test_redis_may_be_away_for_a_whole_run(production: Fleet, calm_production: Outcome) -> None:
    assert production.redis is not None
    running = start(production)
    until(lambda: step_of(production, running) > 20)
    production.redis.kill()
    following = start(production, SHORT)
    assert production.finish(running).state is State.SUCCEEDED
    # Whoever has done a job looks for the next one in the table. Nobody rings for a job that comes later.
    production.finish(following)
    accepted = start(production, SHORT)
    time.sleep(3)
    assert production.ask(lambda client: client.job(accepted)).state is State.QUEUED
    production.redis.start()
    back = time.monotonic()
    production.finish(accepted)
    assert time.monotonic() - back < 30
    settle(production, running)
    assert violations(production, {running: calm_production}) == []


@pytest.mark.timeout(300 + RESTARTS * (EVERY + 10))
def test_postgresql_may_be_restarted_again_and_again(production: Fleet, calm_production: Outcome) -> None:
    assert production.postgres is not None
    job_ids = [start(production)]
    until(lambda: step_of(production, job_ids[0]) > 20)
    for number in range(RESTARTS):
        production.postgres.kill() if number % 2 else production.postgres.stop()
        time.sleep(0.5)
        production.postgres.start()
        time.sleep(EVERY)
        if production.ask(lambda client: client.job(job_ids[-1])).state in TERMINAL:
            job_ids.append(start(production))
            # A claim whose answer is lost costs an attempt. Another crash point covers that.
            until(lambda: production.ask(lambda client: client.job(job_ids[-1])).state is not State.QUEUED)
    lost = [job.transitions for job in map(production.finish, job_ids) if job.attempt > 1]
    assert lost == [], "no attempt is lost to a database that comes back"
    settle(production, job_ids[-1])
    assert violations(production, dict.fromkeys(job_ids, calm_production)) == []


def test_a_client_that_repeats_itself_gets_one_job(fleet: Fleet) -> None:
    arm(fleet.armed, "submit-before-reply")
    key = "again and again"

    def submit(client: Client) -> str:
        return client.submit(SHORT, idempotency_key=key).id

    first = fleet.ask(submit)
    assert {fleet.ask(submit) for _ in range(3)} == {first}
