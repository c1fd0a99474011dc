"""The walk of docs/walk.md, line by line, through real processes: embedded, and over PostgreSQL, Redis and Celery."""

import csv
import hashlib
import json
import random
import struct
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from athanor import Client, JobSpec
from athanor.contract import Job, State
from athanor.errors import Conflict
from models.settings import Timing
from tests.services import Embedded, Production, Running, fresh_database

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module", params=["embedded", "production"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("service") / "data"
    if request.param == "embedded":
        with Embedded(data) as embedded:
            yield embedded
        return
    redis_url = request.getfixturevalue("redis_url")
    with (
        fresh_database(request.getfixturevalue("postgres_url")) as database_url,
        Production(data, database_url, redis_url) as production,
    ):
        yield production


@pytest.fixture(scope="module")
def client(service: Running) -> Iterator[Client]:
    with service.client() as client:
        yield client


def sentences(path: Path, rows: int) -> Path:
    """Opinions about films, made of words that tell."""
    draw = random.Random(0)
    words = {
        "positive": ["moving", "brilliant", "warm", "funny", "lovely"],
        "negative": ["dull", "silly", "tedious", "flat", "lifeless"],
    }
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            label = draw.choice(list(words))
            filler = [draw.choice(["the", "film", "a", "story", "of", "with", f"name{row}"]) for _ in range(8)]
            filler.insert(draw.randrange(8), draw.choice(words[label]))
            writer.writerow([" ".join(filler), label])
    return path


@pytest.fixture(scope="module")
def finished(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Steps 1 to 11: a spec, accepted, queued, claimed, trained, finished."""
    dataset = client.upload(sentences(tmp_path_factory.mktemp("upload") / "films.csv", 600))
    assert (dataset.rows, dataset.schema_.target) == (600, "label")
    spec = JobSpec.model_validate(
        {
            "name": "walk",
            "architecture": {"kind": "textcnn", "channels": 16, "embedding": 32, "widths": [1, 2]},
            "dataset": {"id": dataset.id, "input": "text", "target": "label"},
            "hyperparameters": {"epochs": 4, "batch_size": 32, "optimizer": {"kind": "adam", "lr": 0.01}},
            "tags": {"team": "walk"},
        }
    )
    plan = client.plan(spec)
    assert plan.steps == 4 * 15, "480 training rows in batches of 32"
    job = client.submit(spec, idempotency_key="walk")
    assert client.submit(spec, idempotency_key="walk").id == job.id
    ended = client.wait(job.id, timeout=120)
    assert ended.state is State.SUCCEEDED, ended.error
    return ended


def test_the_job_went_through_every_state(finished: Job) -> None:
    assert [(step.from_, step.to) for step in finished.transitions] == [
        (None, State.QUEUED),
        (State.QUEUED, State.STARTING),
        (State.STARTING, State.RUNNING),
        (State.RUNNING, State.SUCCEEDED),
    ]
    assert finished.progress.step == finished.progress.steps == 60
    assert finished.tags == {"team": "walk"}


def test_series_are_whole(client: Client, finished: Job) -> None:
    series = client.metrics(finished.id).series
    assert series["train/loss"].steps == list(range(1, 61))
    assert series["val/loss"].steps == [15, 30, 45, 60]
    assert series["test/accuracy"].values[-1] > 0.9, "the words that tell are there to be found"
    assert {"lr", "grad_norm", "train/accuracy", "val/accuracy", "test/loss"} <= series.keys()


def test_weights_arrive_whole_and_in_parts(client: Client, finished: Job, service: Running, tmp_path: Path) -> None:
    path = client.pull(finished.id, tmp_path)
    data = path.read_bytes()
    checkpoint = client.checkpoint(finished.id, "best")
    assert hashlib.sha256(data).hexdigest() == checkpoint.sha256
    address = f"{service.url}/v1/jobs/{finished.id}/checkpoints/best/weights"
    headers = {"Authorization": f"Bearer {service.key}", "Range": "bytes=8-99", "If-Range": f'"{checkpoint.sha256}"'}
    part = httpx.get(address, headers=headers)
    assert (part.status_code, part.content) == (206, data[8:100])
    digest = part.headers["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":")
    assert b64decode(digest).hex() == checkpoint.sha256
    (length,) = struct.unpack("<Q", data[:8])
    shapes = {name: entry["shape"] for name, entry in json.loads(data[8 : 8 + length]).items() if name[0] != "_"}
    assert shapes["head.weight"] == [2, 32]


def test_the_best_checkpoint_answers(client: Client, finished: Job) -> None:
    rows = ["a brilliant story of the film", "tedious and flat"]
    labels = [answer["label"] for answer in client.predict(finished.id, rows).predictions]
    assert labels == ["positive", "negative"]


def test_a_fork_goes_on_from_there(client: Client, finished: Job) -> None:
    changes = {"name": "further", "hyperparameters": {"epochs": 1, "freeze": ["embedding"], "optimizer": {"lr": 1e-30}}}
    assert client.plan_fork(finished.id, changes).trainable < client.plan(finished.spec).trainable
    job = client.wait(client.fork(finished.id, changes).id, timeout=120)
    assert job.origin is not None and job.origin.checkpoint_id == client.checkpoint(finished.id, "best").id
    assert client.digest(job.id) != client.digest(finished.id), "the metadata are its own"
    before, after = (client.metrics(each.id, "test/loss").series["test/loss"].values for each in (finished, job))
    assert after == before
    client.delete_job(job.id)


def test_watching_ends_with_the_job(client: Client, finished: Job) -> None:
    kinds = [event.kind for event in client.stream(finished.id)]
    assert kinds[-1] == "end" and {"state", "metrics", "checkpoint"} <= set(kinds)


def test_a_dataset_in_use_stays(client: Client, finished: Job) -> None:
    with pytest.raises(Conflict):
        client.delete_dataset(finished.dataset_id)


def test_workers_are_listed(client: Client, service: Running) -> None:
    (worker,) = [worker for worker in client.workers().data if worker.state == "active"]
    assert worker.mode == ("local" if isinstance(service, Embedded) else "celery")
    assert worker.slots == 1 and worker.devices[0].kind in ("cpu", "cuda")


def test_a_running_job_is_cancelled_only_when_its_process_is_gone(client: Client, service: Running) -> None:
    job = client.submit(
        {
            "architecture": {"kind": "cnn"},
            "dataset": {"id": "digits"},
            "hyperparameters": {"epochs": 10_000},
        }
    )
    while client.job(job.id).progress.step < 50:
        time.sleep(0.1)
    (busy,) = [trainer for trainer in service.trainers() if trainer.cpu_times().user > 0][:1]
    client.cancel(job.id)
    ended = client.wait(job.id, timeout=60)
    assert ended.state is State.CANCELLED
    assert ended.stop_seconds is not None and ended.stop_seconds < Timing().stop_grace, "it was not killed"
    assert busy.pid not in {trainer.pid for trainer in service.trainers()}
    assert client.cancel(job.id).state is State.CANCELLED, "asked twice, it stays so"
    client.delete_job(job.id)


def test_a_job_that_fails_says_what_to_do(client: Client) -> None:
    job = client.submit(
        {
            "architecture": {"kind": "linear"},
            "dataset": {"id": "diabetes"},
            "hyperparameters": {"epochs": 50, "optimizer": {"kind": "sgd", "lr": 900}},
        }
    )
    while not client.job(job.id).is_terminal:
        time.sleep(0.1)
    error = client.job(job.id).error
    assert error is not None and error.code == "non_finite_loss"
    assert "step" in error.message and "learning rate" in error.message
