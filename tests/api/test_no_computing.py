"""The API rehearses on the meta device and computes nothing: every route is driven where torch may do nothing else."""

import csv
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import anyio.to_thread
import httpx
import pytest
import torch
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from api import docs_page
from api.app import app
from models.parts.architecture import ARCHITECTURES
from tests import small
from tests.api import kit
from tests.api.conftest import REVIEWS


class Computed(Exception):
    """An operation of torch on something else than meta tensors."""


RUN_SYNC = anyio.to_thread.run_sync


class MetaAlone(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses, in this thread, what reads or makes a tensor with numbers, and notes it: the error may be caught."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen = seen

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self._check(func, (args, kwargs))
        made = func(*args, **(kwargs or {}))
        self._check(func, made)
        return made

    def _check(self, func: Any, tree: Any) -> None:
        devices = {leaf.device.type for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)}
        if devices - {"meta"}:
            self.seen.append(str(func))
            raise Computed(f"{func} on {', '.join(sorted(devices))}")


@dataclass
class Guarded:
    """An application whose event loop computes nothing while it answers. For one request at a time."""

    app: ASGIApp
    seen: list[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        with MetaAlone(self.seen):
            await self.app(scope, receive, send)


@contextmanager
def guarded(app: FastAPI, headers: dict[str, str] | None = None) -> Iterator[tuple[httpx.Client, list[str]]]:
    """A client of the application, and what it computed: on its event loop, and in any thread that answers for it.

    Routes, dependencies and streams that are not coroutines all come to their threads by `anyio.to_thread.run_sync`.
    """
    seen: list[str] = []

    async def guarded_run_sync(func: Callable[..., Any], *args: Any, **how: Any) -> Any:
        def guarded_func(*args: Any) -> Any:
            with MetaAlone(seen):
                return func(*args)

        return await RUN_SYNC(guarded_func, *args, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyio.to_thread, "run_sync", guarded_run_sync)
        with TestClient(Guarded(app, seen), headers=headers) as client:
            yield client, seen


@dataclass
class Driver:
    """A client of a service in which one job of each kind has ended, and one can be made for each request."""

    client: httpx.Client
    seen: list[str]
    job: str
    texts: str

    def made(self) -> str:
        """A new job, queued."""
        return kit.submit(self.client, kit.spec("linear", "iris"))

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.client.get(path.replace("{job_id}", self.job), params=query)

    def post(self, path: str, job_id: str, body: Any = None) -> httpx.Response:
        return self.client.post(path.replace("{job_id}", job_id), json=body)


def _submit(to: Driver, path: str) -> list[httpx.Response]:
    """A job of every architecture: each is rehearsed."""
    answers = [to.client.post(path, json=kit.spec("linear", "iris"))]
    rows = "".join(f"{text},{at},{label}\n" for at, (text, label) in enumerate(csv.reader(REVIEWS.splitlines()[1:])))
    mixed = kit.upload(to.client, "mixed.csv", f"text,number,label\n{rows}".encode())["id"]
    for part in ARCHITECTURES:
        chosen = {"hyperparameters": {"steps": 2}} if small.descends(part) else {}
        dataset = "digits" if "image" in part.accepts else to.texts if "text" in part.accepts else "iris"
        dataset = mixed if len(part.model_validate({}).inputs) > 1 else dataset
        choice = {"context": 9} if part.levels == {"token"} else {}
        wanted = kit.spec(part.model_fields["kind"].default, dataset, choice=choice, **chosen)
        answers.append(to.client.post(path, params={"validate_only": True}, json=wanted))
    return answers


def _upload(to: Driver, path: str) -> list[httpx.Response]:
    return [to.client.post(path, files={"file": ("a.csv", b"x,y\n" + b"".join(b"%d,%d\n" % (n, n) for n in range(9)))})]


def _delete_dataset(to: Driver, path: str) -> list[httpx.Response]:
    dataset = kit.upload(to.client, "b.csv", b"x,y\n" + b"".join(b"%d,%d\n" % (n, -n) for n in range(9)))
    return [to.client.delete(path.replace("{dataset_id}", dataset["id"]))]


def _delete_job(to: Driver, path: str) -> list[httpx.Response]:
    job_id = to.made()
    return [to.post("/v1/jobs/{job_id}/cancel", job_id), to.client.delete(path.replace("{job_id}", job_id))]


def _wish(to: Driver, path: str) -> list[httpx.Response]:
    return [to.post(path, to.made())]


def _resume(to: Driver, path: str) -> list[httpx.Response]:
    job_id = to.made()
    return [to.post("/v1/jobs/{job_id}/pause", job_id), to.post(path, job_id)]


def _fork(to: Driver, path: str) -> list[httpx.Response]:
    return [to.post(path, to.job, {}), to.post(path, to.job, {"spec": {"hyperparameters": {"steps": 3}}})]


def _predict(to: Driver, path: str) -> list[httpx.Response]:
    rows = to.client.get("/v1/datasets/iris/preview", params={"rows": "1"}).json()
    return [to.post(path, to.job, {"rows": [dict(zip(rows["columns"], rows["rows"][0], strict=True))]})]


def _events(to: Driver, path: str) -> list[httpx.Response]:
    stream = {"Accept": "text/event-stream"}
    return [to.get(path), to.client.get(path.replace("{job_id}", to.job), headers=stream)]


def _path(to: Driver, path: str) -> str:
    return path.replace("{job_id}", to.job).replace("{checkpoint_id}", "best").replace("{dataset_id}", "iris")


def _look(to: Driver, path: str) -> list[httpx.Response]:
    return [to.client.get(_path(to, path))]


def _head(to: Driver, path: str) -> list[httpx.Response]:
    return [to.client.head(_path(to, path))]


def _export(to: Driver, path: str) -> list[httpx.Response]:
    """Traced by a process of its own."""
    return [to.client.get(_path(to, path), params={"format": "pt2"})]


def _head_of_export(to: Driver, path: str) -> list[httpx.Response]:
    return [to.client.head(_path(to, path), params={"format": "bundle"})]


DOCS = [f"/docs/{name}" for name in docs_page.FILES]
JOBS, JOB, CHECKPOINT = "/v1/jobs", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/checkpoints/{checkpoint_id}"
DRIVES: dict[tuple[str, str], Callable[[Driver, str], list[httpx.Response]]] = {
    **{
        (method, path): look
        for path in ("/openapi.json", "/docs", "/docs/start.js", *DOCS, "/healthz", "/readyz")
        for method, look in (("GET", _look), ("HEAD", _head))
    },
    **{("GET", path): _look for path in ("/v1/catalog", "/v1/schemas/job-spec", "/v1/workers", "/v1/datasets", JOBS)},
    **{("GET", path): _look for path in ("/v1/datasets/{dataset_id}", "/v1/datasets/{dataset_id}/preview", JOB)},
    **{("GET", f"{JOB}/{what}"): _look for what in ("metrics", "logs", "checkpoints")},
    **{("POST", f"{JOB}/{wish}"): _wish for wish in ("cancel", "pause")},
    ("POST", f"{JOB}/resume"): _resume,
    ("GET", f"{JOB}/events"): _events,
    ("POST", "/v1/datasets"): _upload,
    ("DELETE", "/v1/datasets/{dataset_id}"): _delete_dataset,
    ("POST", JOBS): _submit,
    ("DELETE", JOB): _delete_job,
    ("POST", f"{JOB}/fork"): _fork,
    ("GET", CHECKPOINT): _look,
    ("GET", f"{CHECKPOINT}/weights"): _look,
    ("HEAD", f"{CHECKPOINT}/weights"): _head,
    ("GET", f"{CHECKPOINT}/export"): _export,
    ("HEAD", f"{CHECKPOINT}/export"): _head_of_export,
    ("POST", f"{JOB}/predict"): _predict,
}
"""How each route is asked for what it is there for. A route that is not here fails the test."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with kit.installation(tmp_path_factory.mktemp("meta")) as house:
        with house.client() as client:
            texts = kit.upload(client, "reviews.csv", REVIEWS.encode())["id"]
            job = kit.submit(client, kit.spec("linear", "iris", hyperparameters={"steps": 2}))
            kit.train(house.settings)
        with guarded(house.app, house.headers) as (client, seen):
            yield Driver(client, seen, job, texts)


def test_every_route_is_driven() -> None:
    assert set(DRIVES) == set(kit.routes(app)), "say in DRIVES how the new route is asked"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("method", "path"), DRIVES)
def test_a_route_computes_nothing(driver: Driver, method: str, path: str) -> None:
    driver.seen.clear()
    for answer in DRIVES[method, path](driver, path):
        assert answer.is_success, answer.text
    assert driver.seen == []


def _number() -> float:
    return float(torch.ones(2).sum())


async def _number_of_the_loop() -> float:
    return _number()


async def _stream_of_the_loop() -> AsyncIterator[str]:
    yield str(_number())


def _stream() -> Iterator[str]:
    yield str(_number())


def _with_dependency(number: Annotated[float, Depends(_number)]) -> float:
    return number


def _shapes() -> list[int]:
    return list((torch.ones(2, 3, device="meta") @ torch.ones(3, 4, device="meta")).shape)


@pytest.mark.parametrize(
    "route",
    [
        _number,
        _number_of_the_loop,
        _with_dependency,
        lambda: StreamingResponse(_stream()),
        lambda: StreamingResponse(_stream_of_the_loop()),
    ],
    ids=["thread", "loop", "dependency", "stream", "stream of the loop"],
)
def test_computing_is_seen_wherever_a_request_is_answered(route: Callable[..., Any]) -> None:
    small = FastAPI()
    small.add_api_route("/", route, response_model=None)
    small.add_api_route("/shapes", _shapes, response_model=None)
    with guarded(small) as (client, seen):
        assert client.get("/shapes").json() == [2, 4] and seen == []
        with pytest.raises(Computed):
            client.get("/")
        assert seen
