"""A whole installation in a temporary folder, in process or behind a real server, and what answers must look like."""

import atexit
import gc
import json
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path
from starlette.testclient import TestClient

from api import schema
from api.app import create_app
from models.records import keys
from models.records.database import Database
from models.settings import Limits, Settings
from models.storage.folder import MARK
from worker.supervision import worker
from worker.supervision.trainer_start import TrainerParent
from worker.supervision.worker import Worker

JSON = {"Content-Type": "application/json"}
PATIENCE = 20.0


@dataclass
class Installation:
    """A data folder with a database in it and a key, and the application over both."""

    settings: Settings
    key: str
    app: FastAPI
    database: Database

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def client(self, *, raises: bool = True) -> TestClient:
        """In process. With `raises` off, a failure of the service is the 500 that a caller would see."""
        return TestClient(self.app, headers=self.headers, raise_server_exceptions=raises)

    def kept(self) -> set[Path]:
        """Every file in the scratch folder and in the store, but for the store's mark."""
        data = self.settings.data
        return {path for part in ("scratch", "store") for path in (data / part).rglob("*")} - {data / "store" / MARK}


@contextmanager
def installation(folder: Path, database_url: str | None = None, limits: Limits | None = None) -> Iterator[Installation]:
    settings = Settings(data=folder, database_url=database_url, limits=limits or Limits())
    folder.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        schema.upgrade(database)
        with database.writing() as tx:
            key = keys.create(tx, "tests")
        yield Installation(settings, key, create_app(settings), database)
    finally:
        database.close()


class SharedParent(TrainerParent):
    """A warm parent that serves one worker after the other, since its imports take seconds."""

    def close(self) -> None:
        pass


PARENT = SharedParent()
atexit.register(TrainerParent.close, PARENT)


def train(settings: Settings) -> None:
    """Do every queued job, as `athanor worker` would."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        # A trainer that has ended leaves the pipe to its standard input to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        patch.setattr(worker, "TrainerParent", lambda: PARENT)
        works = Worker(settings, "local", 1)
        works.open()
        try:
            while works.work(works.slots[0]):
                pass
        finally:
            works.close()
            del works
            gc.collect()


def ended(folder: Path) -> str:
    """Make an installation in `folder` with a job that has ended well, and at least two checkpoints. Returns its id."""
    wanted = spec("linear", "iris", hyperparameters={"epochs": 3}, checkpoints={"every_steps": 5, "keep_last": 5})
    with installation(folder) as house, house.client() as client:
        job_id = submit(client, wanted)
        train(house.settings)
        job = client.get(f"/v1/jobs/{job_id}").json()
        assert job["state"] == "succeeded", job["error"]
        assert len(client.get(f"/v1/jobs/{job_id}/checkpoints").json()["data"]) >= 2
    return job_id


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


@contextmanager
def served(house: Installation) -> Iterator[httpx.Client]:
    """A client of the application behind a real uvicorn."""
    config = uvicorn.Config(
        house.app, port=free_port(), log_level="warning", ws="none", lifespan="on", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        base = f"http://127.0.0.1:{config.port}"
        with httpx.Client(base_url=base, headers=house.headers, timeout=PATIENCE, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def until(happens: Callable[[], object], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def spec(kind: str = "mlp", dataset: str = "iris", **more: Any) -> dict[str, Any]:
    """A job spec. `architecture` and `choice` add to those two parts, the rest stands at the top."""
    architecture, choice = more.pop("architecture", {}), more.pop("choice", {})
    return {"architecture": {"kind": kind, **architecture}, "dataset": {"id": dataset, **choice}, **more}


def export(client: httpx.Client, job_id: str, format: str, **headers: str) -> httpx.Response:
    return client.get(f"/v1/jobs/{job_id}/checkpoints/best/export", params={"format": format}, headers=headers)


def submit(client: httpx.Client, wanted: dict[str, Any] | None = None) -> str:
    answer = client.post("/v1/jobs", json=wanted or spec())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def upload(client: httpx.Client, filename: str, content: bytes, **query: str) -> dict[str, Any]:
    answer = client.post("/v1/datasets", files={"file": (filename, content)}, params=query)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def problem(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The body of a refusal, after a look at everything that each must have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "instance", "request_id"} <= found.keys()
    assert found["status"] == status
    assert found["request_id"] == answer.headers["X-Request-Id"]
    assert found["instance"] == answer.request.url.path
    assert found["title"] and found["detail"]
    answers = documented(answer.request)
    assert answers is None or str(status) in answers, f"{answer.request.url}: {status} is not in {[*answers]}"
    if code is not None:
        assert found["code"] == code, answer.text
    return found


def documented(request: httpx.Request) -> dict[str, Any] | None:
    """The answers by status that the OpenAPI document has for a request, or None if it has no such operation."""
    for path, operations in _document()["paths"].items():
        if (operation := operations.get(request.method.lower())) and compile_path(path)[0].match(request.url.path):
            found: dict[str, Any] = operation["responses"]
            return found
    return None


@cache
def _document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def fault(answer: httpx.Response, pointer: str, code: str | None = None, status: int = 422) -> dict[str, Any]:
    """The one fault that a refusal names at `pointer`."""
    faults = problem(answer, status)["errors"]
    assert [each["pointer"] for each in faults] == [pointer], faults
    if code is not None:
        assert faults[0]["code"] == code
    found: dict[str, Any] = faults[0]
    return found


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """(method, path) of everything the application serves."""
    found = []
    for route in iter_route_contexts(app.routes):
        assert route.path is not None, f"{route} has no path: how is it protected?"
        assert route.methods, f"{route.path} answers no method: how is it protected?"
        found += [(method, route.path) for method in sorted(route.methods)]
    return found


def filled(path: str) -> str:
    """A path whose every id is unknown."""
    for name, value in {"job_id": "job_none", "dataset_id": "ds_none", "checkpoint_id": "ckpt_none"}.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"{path} has a parameter that the tests do not know"
    return path


@dataclass
class Frame:
    """One event of a stream."""

    id: str = ""
    event: str = ""
    data: str = ""
    comments: list[str] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.data)


def frames(lines: Iterator[str]) -> Iterator[Frame]:
    """Server-sent events, read as the HTML standard says; comments come in frames of their own."""
    frame = Frame()
    for line in lines:
        name, _, value = line.partition(":")
        if line == "":
            yield frame
            frame = Frame()
        elif name == "":
            frame.comments.append(value.strip())
        elif name in ("id", "event", "data"):
            setattr(frame, name, value.removeprefix(" "))
