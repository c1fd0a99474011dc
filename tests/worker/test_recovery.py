"""Trainers, workers and whole services killed from outside: the job goes on as if nothing had happened."""

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from athanor import Client
from athanor.contract import Job, State
from athanor.errors import JobFailed
from models.settings import Timing
from tests.services import Embedded

AT_ONCE = Timing().lease / 10
"""Seconds in which an orphan has to be gone on a busy machine: nobody else has its job before the lease is over."""

pytestmark = pytest.mark.timeout(240)

SPEC: dict[str, Any] = {
    "architecture": {"kind": "cnn", "channels": [8, 16], "hidden": [32], "dropout": 0.3},
    "dataset": {"id": "digits"},
    "hyperparameters": {
        "epochs": 9,
        "batch_size": 16,
        "seed": 5,
        "ema": 0.99,
        "schedule": {"kind": "cosine", "warmup_steps": 50},
    },
    "checkpoints": {"every_steps": 40, "keep_last": 2},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with Embedded(tmp_path_factory.mktemp("service") / "data") as running:
        yield running


@pytest.fixture
def client(service: Embedded) -> Iterator[Client]:
    with service.client() as client:
        yield client


@pytest.fixture(scope="module")
def calm(service: Embedded) -> tuple[str, list[int], list[float]]:
    """Digest and history of the job that nobody touches."""
    with service.client() as client:
        return outcome(client, client.wait(client.submit(SPEC).id, timeout=120))


def outcome(client: Client, job: Job) -> tuple[str, list[int], list[float]]:
    assert job.state is State.SUCCEEDED
    loss = client.metrics(job.id, "train/loss").series["train/loss"]
    return client.checkpoint(job.id, "last").sha256, loss.steps, loss.values


def reach(client: Client, job_id: str, step: int) -> None:
    """Wait until a job has got so far."""
    until = time.monotonic() + 60
    while client.job(job_id).progress.step < step:
        assert time.monotonic() < until, client.job(job_id)
        time.sleep(0.02)


def pause(client: Client, job_id: str) -> None:
    """Pause a job, and wait until it stands."""
    client.pause(job_id)
    until = time.monotonic() + 30
    while client.job(job_id).state is not State.PAUSED:
        assert time.monotonic() < until
        time.sleep(0.05)


def busy_trainer(service: Embedded) -> psutil.Process:
    """The trainer that computes; the spare beside it only waits."""
    return max(service.trainers(), key=lambda process: process.cpu_percent(0.2))


def await_end(process: psutil.Process, seconds: float) -> None:
    """Until it runs no more. Its new parent may take its time to bury it."""
    until = time.monotonic() + seconds
    # It may go between the two questions.
    with suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < until, f"{process} still runs after {seconds} s"
            time.sleep(0.005)


def freeze(worker: psutil.Process, file: Path | None) -> None:
    """Stop a worker, with SQLite when it does not hold the one lock of `file`: nobody could write before it woke."""
    for _ in range(100):
        worker.send_signal(signal.SIGSTOP)
        while worker.status() != psutil.STATUS_STOPPED:
            time.sleep(0.001)
        if file is None:
            return
        with closing(sqlite3.connect(file, timeout=0.2, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError:
                worker.send_signal(signal.SIGCONT)
                time.sleep(0.01)
    raise AssertionError("the worker writes all the time")


def test_a_killed_trainer_is_replaced(
    service: Embedded, client: Client, calm: tuple[str, list[int], list[float]]
) -> None:
    job = client.submit(SPEC)
    for step in (200, 500):
        reach(client, job.id, step)
        busy_trainer(service).kill()
        killed = time.monotonic()
        attempt = client.job(job.id).attempt
        while client.job(job.id).attempt == attempt:
            assert time.monotonic() - killed < Timing().lease, "the supervisor is alive, and should have noticed"
            time.sleep(0.02)
    job = client.wait(job.id, timeout=120)
    assert outcome(client, job) == calm
    assert job.attempt == 3 and job.bit_exact
    reasons = [step.reason for step in job.transitions if step.to is State.QUEUED]
    assert reasons[1:] == ["the trainer was killed by signal 9"] * 2


def test_a_killed_service_goes_on_when_it_is_back(
    service: Embedded, client: Client, calm: tuple[str, list[int], list[float]]
) -> None:
    job = client.submit(SPEC)
    reach(client, job.id, 400)
    trainers = service.trainers()
    service.kill()
    for trainer in trainers:
        await_end(trainer, AT_ONCE)
    service.start()
    job = client.wait(job.id, timeout=120)
    assert outcome(client, job) == calm
    assert any(step.reason == "worker lost" for step in job.transitions)


def test_an_orphaned_trainer_is_gone_at_once(service: Embedded, client: Client) -> None:
    job = client.submit({**SPEC, "hyperparameters": {**SPEC["hyperparameters"], "epochs": 5000}})
    reach(client, job.id, 200)
    trainer = busy_trainer(service)
    (worker,) = service.descendants("worker.local")
    worker.kill()
    await_end(trainer, AT_ONCE)
    # Nobody starts the service again: it starts its worker again itself.
    client.cancel(job.id)
    assert client.wait(job.id, timeout=60).state is State.CANCELLED


def test_a_drained_job_loses_no_step(
    service: Embedded, client: Client, calm: tuple[str, list[int], list[float]]
) -> None:
    job = client.submit(SPEC)
    reach(client, job.id, 400)
    service.stop()
    service.start()
    job = client.wait(job.id, timeout=120)
    assert outcome(client, job) == calm
    (back,) = [step for step in job.transitions if step.from_ is State.RUNNING and step.to is State.QUEUED]
    (again,) = [step for step in job.transitions if step.to is State.STARTING and step.attempt == 2]
    assert back.reason == "worker drained"
    assert again.reason is not None and int(again.reason.rsplit(" ", 1)[1]) >= 400


def test_a_stop_of_every_process_at_once_loses_no_step_either(
    service: Embedded, client: Client, calm: tuple[str, list[int], list[float]]
) -> None:
    """As systemd stops a unit, and a machine that is shut down all there is: the worker is not the first to hear."""
    job = client.submit({**SPEC, "resources": {"data_workers": 2}})
    reach(client, job.id, 300)
    for process in (*service.trainers(), *service.descendants("worker.local")):
        process.terminate()
    job = client.wait(job.id, timeout=120)
    assert outcome(client, job) == calm
    assert (job.attempt, job.preemptions, job.failures, job.worker_lost) == (2, 1, 0, 0)


def test_pause_and_resume_change_nothing(
    service: Embedded, client: Client, calm: tuple[str, list[int], list[float]]
) -> None:
    job = client.submit(SPEC)
    reach(client, job.id, 400)
    pause(client, job.id)
    client.resume(job.id)
    assert outcome(client, client.wait(job.id, timeout=120)) == calm


def test_a_job_that_takes_too_long_ends_with_a_checkpoint(client: Client) -> None:
    endless = SPEC["hyperparameters"] | {"epochs": 5000}
    job_id = client.submit(SPEC | {"hyperparameters": endless, "resources": {"max_seconds": 3}}).id
    reach(client, job_id, 20)
    pause(client, job_id)
    client.resume(job_id)
    with pytest.raises(JobFailed, match=r"longer than resources\.max_seconds = 3; submit it with a larger limit"):
        client.wait(job_id, timeout=60)
    job, last = client.job(job_id), client.checkpoint(job_id, "last")
    assert job.error is not None and (job.error.code, job.failures, job.attempt) == ("max_seconds", 0, 2)
    assert (last.step, last.attempt) == (job.progress.step, 2), "what it did last is kept"


def test_a_broken_best_checkpoint_is_not_passed_over_in_silence(service: Embedded, client: Client) -> None:
    """It is not what the training goes on from, yet its weights are those that are tested."""
    hyperparameters = {"epochs": 300, "batch_size": 16, "optimizer": {"kind": "adam", "lr": 0.01}}
    overfit = {"architecture": {"kind": "mlp", "hidden": [64]}, "dataset": {"id": "diabetes"}}
    job = client.submit({**overfit, "hyperparameters": hyperparameters, "checkpoints": {"every_epochs": 10}})
    reach(client, job.id, 2500)
    pause(client, job.id)
    best = client.checkpoint(job.id, "best")
    assert best.step < client.checkpoint(job.id, "last").step
    (weights,) = service.data.glob(f"store/jobs/{job.id}/a*/step-{best.step}/weights.safetensors")
    data = bytearray(weights.read_bytes())
    data[-20] ^= 1
    weights.write_bytes(data)
    client.resume(job.id)
    ended = client.wait(job.id, timeout=120)
    assert (ended.state, ended.bit_exact) == (State.SUCCEEDED, False)
    # The stream, because one page of events may end before it.
    warned = [event.data["data"]["checkpoint"] for event in client.stream(job.id) if event.kind == "warning"]
    assert warned == [best.id]


def test_a_trainer_that_does_not_listen_is_killed_after_the_grace(tmp_path: Path) -> None:
    """One frozen for good, on the way to a cancellation and on the way to a shutdown."""
    with Embedded(tmp_path / "data", ATHANOR_TIMING__STOP_GRACE="1") as service, service.client() as client:
        deaf = client.submit(SPEC)
        reach(client, deaf.id, 20)
        busy_trainer(service).send_signal(signal.SIGSTOP)
        client.cancel(deaf.id)
        ended = client.wait(deaf.id, timeout=60)
        # Not before the grace of this service is over, and well before the usual one would be.
        assert ended.state is State.CANCELLED and ended.stop_seconds is not None
        assert 1 <= ended.stop_seconds < Timing().stop_grace / 2
        job = client.submit(SPEC)
        reach(client, job.id, 20)
        trainer = busy_trainer(service)
        trainer.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < Timing().stop_grace / 2
        await_end(trainer, 5)
        with closing(sqlite3.connect(service.data / "athanor.db")) as rows:
            left = rows.execute("SELECT state, preemptions, failures FROM jobs WHERE id = ?", (job.id,)).fetchall()
        assert left == [("queued", 1, 0)], "the next start goes on with it, as after any other stop"


def test_a_frozen_worker_that_wakes_writes_nothing(tmp_path: Path) -> None:
    quick = {"ATHANOR_TIMING__LEASE": "2", "ATHANOR_TIMING__HEARTBEAT": "0.5", "ATHANOR_TIMING__SWEEP": "0.5"}
    with Embedded(tmp_path / "data", **quick) as service, service.client() as client:
        job = client.submit({**SPEC, "hyperparameters": {**SPEC["hyperparameters"], "epochs": 2000}})
        reach(client, job.id, 200)
        (first,) = service.descendants("worker.local")
        trainer = busy_trainer(service)
        freeze(first, service.data / "athanor.db")
        # Another worker over the same table: it reaps the lease, and its own attempt takes over.
        service._spawn("worker.local", "--slots", "1")
        until = time.monotonic() + 30
        while client.job(job.id).attempt < 2:
            assert time.monotonic() < until
            time.sleep(0.1)
        first.send_signal(signal.SIGCONT)
        await_end(trainer, 10)
        reach(client, job.id, 400)
        steps = client.metrics(job.id, "train/loss").series["train/loss"].steps
        assert steps == list(range(1, len(steps) + 1)), "no point twice, none left out"
        assert client.job(job.id).attempt == 2
        client.cancel(job.id)
        client.wait(job.id, timeout=60)


def test_a_killed_fork_goes_on_exactly(service: Embedded, client: Client) -> None:
    """With other rows to train on, frozen layers and no parent any more: what has no state is the same again."""
    parent = client.submit({**SPEC, "hyperparameters": {**SPEC["hyperparameters"], "epochs": 1}})
    client.wait(parent.id, timeout=120)
    changes = {
        "dataset": {"split": {"seed": 9}},
        "hyperparameters": {"epochs": 12, "freeze": ["blocks.0"], "seed": 8},
    }
    untouched = outcome(client, client.wait(client.fork(parent.id, changes).id, timeout=120))
    job = client.fork(parent.id, changes)
    client.delete_job(parent.id)
    reach(client, job.id, 300)
    busy_trainer(service).kill()
    job = client.wait(job.id, timeout=120)
    assert outcome(client, job) == untouched
    assert job.attempt == 2 and job.bit_exact
