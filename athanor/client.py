"""The service as a Python object: one method per endpoint, answers typed by the contract."""

import base64
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, RootModel, ValidationError

from athanor.contract import (
    Catalog,
    Checkpoint,
    Dataset,
    Event,
    ExportFormat,
    Job,
    JobSpec,
    Metrics,
    Page,
    Plan,
    Predictions,
    Preview,
    State,
    Worker,
)
from athanor.errors import AthanorError, JobFailed, ServiceUnavailable, Unreachable
from athanor.transport.address import find_key, find_url
from athanor.transport.download import IDENTITY, Progress, Promise, download
from athanor.transport.http import FEW, ONCE, Transport
from athanor.transport.outage import FIRST_CONTACT, OnOutage, RetryPolicy, log_outages
from athanor.transport.sse import ServerEvent, listen
from athanor.transport.upload import Upload
from athanor.version import __version__

M = TypeVar("M", bound=BaseModel)
AnyObject = RootModel[dict[str, Any]]
Spec = JobSpec | Mapping[str, Any]
EXPORT = 900.0
"""Seconds to wait for an export to begin to arrive."""


class Client:
    """Talks to one service. Close it, or use it in a `with`; threads may share it.

    `url` defaults to ATHANOR_URL, then to this machine's port 8500. `key` defaults to ATHANOR_KEY, then to the key
    file that `athanor up` wrote into ATHANOR_DATA or ./athanor-data. `timeout` is seconds of silence, not of transfer.
    Every method raises AthanorError: what the service refused, or Unreachable.
    """

    def __init__(self, url: str | None = None, key: str | None = None, timeout: float = 30.0) -> None:
        self.url = find_url(url)
        self._transport = Transport(self.url, find_key(key, self.url), timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def health(self) -> dict[str, Any]:
        """Raises at once when the service is not there; never waits for it."""
        return _read(AnyObject, self._transport.send("GET", "/healthz", retry=ONCE)).root

    def ready(self) -> dict[str, Any]:
        """Raises ServiceUnavailable while the database, the store or the broker is not there."""
        return _read(AnyObject, self._transport.send("GET", "/readyz", retry=ONCE)).root

    def submit(self, spec: Spec, idempotency_key: str | None = None) -> Job:
        """Queue a job. A dropped connection is tried again under the same key, so it never makes two jobs."""
        response = self._transport.send(
            "POST",
            "/v1/jobs",
            json=_json(spec),
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
            repeatable=True,
        )
        return _read(Job, response)

    def plan(self, spec: Spec) -> Plan:
        """What a job would cost, or why it cannot work; nothing is queued."""
        response = self._transport.send(
            "POST", "/v1/jobs", params={"validate_only": "true"}, json=_json(spec), repeatable=True
        )
        return _read(Plan, response)

    def fork(
        self,
        id: str,
        spec: Mapping[str, Any] | None = None,
        checkpoint: str = "best",
        idempotency_key: str | None = None,
    ) -> Job:
        """Queue a job that starts with the weights of another's checkpoint: an id, `best` or `last`.

        `spec` is what changes in the other's spec, a JSON merge patch: {"hyperparameters": {"epochs": 3}}.
        """
        response = self._transport.send(
            "POST",
            _path("jobs", id, "fork"),
            json={"checkpoint": checkpoint, "spec": dict(spec or {})},
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
            repeatable=True,
        )
        return _read(Job, response)

    def plan_fork(self, id: str, spec: Mapping[str, Any] | None = None, checkpoint: str = "best") -> Plan:
        """What a fork would cost, and which tensors it would draw anew; nothing is queued."""
        response = self._transport.send(
            "POST",
            _path("jobs", id, "fork"),
            params={"validate_only": "true"},
            json={"checkpoint": checkpoint, "spec": dict(spec or {})},
            repeatable=True,
        )
        return _read(Plan, response)

    def job(self, id: str) -> Job:
        return self._get(Job, _path("jobs", id))

    def jobs(
        self,
        state: State | str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Page[Job]:
        """Newest first; `after` is the `next` of the page before."""
        return self._get(Page[Job], _path("jobs"), {"state": state, "tag": tag, "limit": limit, "after": after})

    def cancel(self, id: str) -> Job:
        """Asks for it: the answer may still say running, for a job is cancelled once its process is gone."""
        return self._tell(id, "cancel")

    def pause(self, id: str) -> Job:
        """Asks for it: the job writes a checkpoint, gives up its device and can be resumed."""
        return self._tell(id, "pause")

    def resume(self, id: str) -> Job:
        return self._tell(id, "resume")

    def delete_job(self, id: str) -> None:
        """Remove a job that has ended, with its metrics and weights. Raises Conflict while it has not."""
        self._transport.send("DELETE", _path("jobs", id))

    def metrics(
        self,
        id: str,
        series: str | Iterable[str] | None = None,
        after: int | None = None,
        max_points: int | None = None,
        wait: float | None = None,
    ) -> Metrics:
        """Points newer than `after`, a sequence number: the `next` of the answer before.

        A job that resumes from a checkpoint computes the points after it again, and they come again:
        `before.followed_by(these)` puts them in their place.
        `max_points` thins each series on the server and keeps its extremes; `wait` holds the answer back, up to 60
        seconds, until there is something new.
        """
        return self._metrics(id, FEW, series, after, max_points, wait)

    def events(self, id: str, after: int | str | None = None, limit: int | None = None) -> Page[Event]:
        return self._get(Page[Event], _path("jobs", id, "events"), {"after": after, "limit": limit})

    def stream(self, id: str, last_event_id: str | None = None) -> Iterator[ServerEvent]:
        """Everything about a job as it happens; ends with its `end`. Broken connections are taken up again."""
        return listen(self._transport, _path("jobs", id, "events"), last_event_id)

    def logs(self, id: str) -> str:
        """What the trainer wrote to its output."""
        return self._transport.send("GET", _path("jobs", id, "logs")).text

    def checkpoints(self, id: str, limit: int | None = None, after: str | None = None) -> Page[Checkpoint]:
        return self._get(Page[Checkpoint], _path("jobs", id, "checkpoints"), {"limit": limit, "after": after})

    def checkpoint(self, id: str, which: str = "best") -> Checkpoint:
        """`which` is a checkpoint's id, `best` or `last`."""
        return self._get(Checkpoint, _path("jobs", id, "checkpoints", which))

    def digest(self, id: str, which: str = "best") -> str:
        """The sha256 promised for a checkpoint's weights, without fetching them."""
        return Promise.read(self._transport.send("HEAD", _weights(id, which), headers=IDENTITY)).sha256

    def pull(self, id: str, path: str | Path, which: str = "best", progress: Progress | None = None) -> Path:
        """Download weights (safetensors) to `path`, or under a name of their own when it is a folder.

        A download that broke off is continued from `path`.part; the name appears only when every byte is there and
        the sha256 is right. `progress` is called with bytes so far and in all. Raises DigestMismatch.
        """
        target = Path(path)
        if target.is_dir():
            target = target / f"{id}-{which}.safetensors"
        return download(self._transport, _weights(id, which), target, progress)

    def export(
        self, id: str, which: str, format: ExportFormat, path: str | Path, progress: Progress | None = None
    ) -> Path:
        """Download a checkpoint as an ONNX model, a torch.export program (pt2) or a bundle, checked as `pull` does.

        The service makes it when asked, which takes seconds, and more for large networks. `path` may be a folder.
        """
        target = Path(path)
        if target.is_dir():
            target = target / f"{id}-{which}.{'zip' if format == 'bundle' else format}"
        source = _path("jobs", id, "checkpoints", which, "export") + f"?format={quote(format, safe='')}"
        return download(self._transport, source, target, progress, timeout=EXPORT)

    def predict(
        self,
        id: str,
        rows: Sequence[Any],
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        seed: int | None = None,
    ) -> Predictions:
        """One answer a row from the best checkpoint.

        A row is a string (text), a list (array, image, tokens) or an object of columns (table); a NumPy array may
        stand for lists, and the bytes of a PNG, JPEG or WebP file for an image. A language model goes on from each
        string, and the other arguments are for it alone: `top_k` is how many tokens it chooses among, and a `seed` says
        the same each time.
        """
        how = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k, "seed": seed}
        body = {
            "rows": [_row(row) for row in rows],
            **{name: value for name, value in how.items() if value is not None},
        }
        response = self._transport.send("POST", _path("jobs", id, "predict"), json=body, repeatable=True)
        return _read(Predictions, response)

    def upload(self, path: str | Path, name: str | None = None, progress: Progress | None = None) -> Dataset:
        """Send a file as a dataset, read from disk as it goes. Bytes that are there already answer with theirs."""
        source = Path(path)
        with Upload(source, progress) as file:
            response = self._transport.send(
                "POST", "/v1/datasets", params={"name": name or source.stem}, files={"file": (source.name, file)}
            )
        return _read(Dataset, response)

    def datasets(self, limit: int | None = None, after: str | None = None) -> Page[Dataset]:
        return self._get(Page[Dataset], _path("datasets"), {"limit": limit, "after": after})

    def dataset(self, id: str) -> Dataset:
        """An upload, ds_…, or a built-in set by its name."""
        return self._get(Dataset, _path("datasets", id))

    def preview(self, id: str, rows: int | None = None) -> Preview:
        return self._get(Preview, _path("datasets", id, "preview"), {"rows": rows})

    def delete_dataset(self, id: str) -> None:
        """Raises Conflict while any job names it, an ended one too: delete its jobs first."""
        self._transport.send("DELETE", _path("datasets", id))

    def catalog(self) -> Catalog:
        """Every part a spec may name, each with its JSON Schema."""
        return self._get(Catalog, _path("catalog"))

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a spec, with every part on the shelf."""
        return _read(AnyObject, self._transport.send("GET", _path("schemas", "job-spec"))).root

    def workers(self) -> Page[Worker]:
        return self._get(Page[Worker], _path("workers"))

    def watch(
        self, id: str, every: float = 0.5, wait: float = 5.0, on_outage: OnOutage | None = None
    ) -> Iterator[tuple[Job, Metrics]]:
        """The job and the points that are new, until it has ended; a plain iterator, so a notebook can plot.

        `all_points = all_points.followed_by(metrics)` gathers them: those that a resume computes again come again.
        Answers at most once in `every` seconds and, where nothing happens, at least about once in `wait`. A service
        that has answered once is waited for however long it stays away: `on_outage` is called with the error of each
        attempt, and with None when it is back. Default: a warning of the logger `athanor` now and then.
        """
        retry = _endless(None, on_outage)
        points = self._metrics(id, retry)
        while True:
            asked = time.monotonic()
            job = self._get(Job, _path("jobs", id), retry=retry)
            yield job, points
            if job.is_terminal:
                break
            time.sleep(max(0.0, asked + every - time.monotonic()))
            points = self._metrics(id, retry, after=points.next, wait=wait)
        # What came after the points were read and before the job was.
        rest = self._metrics(id, retry, after=points.next)
        if rest.series:
            yield job, rest

    def wait(self, id: str, timeout: float | None = None, on_outage: OnOutage | None = None) -> Job:
        """The job once it has ended. Raises JobFailed when it failed, TimeoutError after `timeout` seconds.

        A service that stays away meanwhile is waited for, as in `watch`; `timeout` bounds that too.
        """
        started, pause = time.monotonic(), 0.2
        retry = _endless(None if timeout is None else started + timeout, on_outage)
        while True:
            try:
                job = self._get(Job, _path("jobs", id), retry=retry)
            except (Unreachable, ServiceUnavailable) as error:
                if not retry.is_late:
                    raise
                raise TimeoutError(f"{id} was not seen to end within {timeout:g} s: {error}") from error
            if job.state is State.FAILED:
                raise JobFailed(job)
            if job.is_terminal:
                return job
            if timeout is not None and time.monotonic() - started + pause > timeout:
                raise TimeoutError(f"{id} is still {job.state} after {timeout:g} s")
            time.sleep(pause)
            pause = min(2.0, pause * 1.5)

    def _get(self, answer: type[M], path: str, params: Mapping[str, Any] | None = None, retry: RetryPolicy = FEW) -> M:
        return _read(answer, self._transport.send("GET", path, params=params, retry=retry))

    def _tell(self, id: str, verb: str) -> Job:
        response = self._transport.send("POST", _path("jobs", id, verb), repeatable=True)
        return _read(Job, response)

    def _metrics(
        self,
        id: str,
        retry: RetryPolicy,
        series: str | Iterable[str] | None = None,
        after: int | None = None,
        max_points: int | None = None,
        wait: float | None = None,
    ) -> Metrics:
        chosen = [series] if isinstance(series, str) else list(series or [])
        response = self._transport.send(
            "GET",
            _path("jobs", id, "metrics"),
            params={"series": chosen or None, "after": after, "max_points": max_points, "wait": wait},
            timeout=self._transport.timeout + (wait or 0.0),
            retry=retry,
        )
        return _read(Metrics, response)


def _endless(deadline: float | None, on_outage: OnOutage | None) -> RetryPolicy:
    return RetryPolicy(FIRST_CONTACT, endless=True, deadline=deadline, on_outage=on_outage or log_outages())


def _path(*parts: str) -> str:
    # Quoted, for an id is whatever the caller typed and must not climb to another endpoint.
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _weights(id: str, which: str) -> str:
    return _path("jobs", id, "checkpoints", which, "weights")


def _row(row: Any) -> Any:
    if isinstance(row, bytes):
        return base64.b64encode(row).decode()
    return row.tolist() if hasattr(row, "tolist") else row


def _json(spec: Spec) -> Any:
    return spec.model_dump(mode="json", exclude_unset=True) if isinstance(spec, JobSpec) else dict(spec)


def _read(answer: type[M], response: httpx.Response) -> M:
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise AthanorError(
            f"{response.url} answered something else than a {answer.__name__}: it is not Athanor, or of a version that "
            f"this client ({__version__}) does not know\n{error}"
        ) from error
