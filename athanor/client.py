"""The Python client: one method per endpoint, with answers typed by the contract."""

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
    Hints,
    Job,
    JobSpec,
    Metrics,
    Page,
    Plan,
    PredictedFile,
    Predictions,
    Preview,
    State,
    Worker,
)
from athanor.errors import AthanorError, JobFailed, ServiceUnavailable, Unreachable
from athanor.transport import rows as rows_to_predict
from athanor.transport.address import find_key, find_url
from athanor.transport.download import IDENTITY, Progress, Promise, download, target
from athanor.transport.http import FEW, ONCE, Transport
from athanor.transport.outage import FIRST_CONTACT, OnOutage, RetryPolicy, log_outages
from athanor.transport.sse import ServerEvent, listen
from athanor.transport.upload import Upload, parameters
from athanor.version import __version__

M = TypeVar("M", bound=BaseModel)
AnyObject = RootModel[dict[str, Any]]
Spec = JobSpec | Mapping[str, Any]
EXPORT = 900.0
"""Seconds to wait for the first byte of an export."""


class Client:
    """A client of one service. Close it, or use it in a `with` block. It is thread-safe.

    `url` defaults to ATHANOR_URL, else to port 8500 of this machine. `key` defaults to ATHANOR_KEY, else to the key
    file that `athanor up` wrote into ATHANOR_DATA or ./athanor-data. `timeout` is the longest time in seconds without
    a byte from the service; a transfer may take longer. Methods raise AthanorError if the service refuses a request,
    and its subclass Unreachable if the service does not answer.
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
        """Whether the service is alive. Raises Unreachable at once if it does not answer, without a retry."""
        return _read(AnyObject, self._transport.send("GET", "/healthz", retry=ONCE)).root

    def ready(self) -> dict[str, Any]:
        """Whether the service can accept jobs. Raises ServiceUnavailable while it cannot."""
        return _read(AnyObject, self._transport.send("GET", "/readyz", retry=ONCE)).root

    def submit(self, spec: Spec, idempotency_key: str | None = None) -> Job:
        """Queue a job. After a broken connection it repeats the request with the same key, so there is only one job."""
        response = self._transport.send(
            "POST",
            "/v1/jobs",
            json=_json(spec),
            headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4())},
            repeatable=True,
        )
        return _read(Job, response)

    def plan(self, spec: Spec) -> Plan:
        """The plan of a job, with its cost. Nothing is queued. Raises Invalid if the spec cannot work."""
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
        """Queue a job that starts with the weights of another job's `checkpoint`: an id, `best` or `last`.

        `spec` holds the changes to the other job's spec, as a JSON merge patch: {"hyperparameters": {"epochs": 3}}.
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
        """The plan of a fork: its cost, and the tensors that get new random values. Nothing is queued."""
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
        """A page of jobs, newest first. `after` is the `next` of the previous page."""
        return self._get(Page[Job], _path("jobs"), {"state": state, "tag": tag, "limit": limit, "after": after})

    def cancel(self, id: str) -> Job:
        """Ask to stop a job for good. Its state becomes `cancelled` later, when its processes have ended."""
        return self._tell(id, "cancel")

    def pause(self, id: str) -> Job:
        """Ask to pause a job: it writes a checkpoint, frees its device and can be resumed."""
        return self._tell(id, "pause")

    def resume(self, id: str) -> Job:
        return self._tell(id, "resume")

    def delete_job(self, id: str) -> None:
        """Delete an ended job with its metrics and weights. Raises Conflict while it has not ended."""
        self._transport.send("DELETE", _path("jobs", id))

    def metrics(
        self,
        id: str,
        series: str | Iterable[str] | None = None,
        after: int | None = None,
        max_points: int | None = None,
        wait: float | None = None,
    ) -> Metrics:
        """The points after the sequence number `after`, which is the `next` of the previous answer.

        A job that resumes from a checkpoint computes the points after it again and sends them again;
        `previous.followed_by(new)` replaces the old points. `max_points` thins each series on the server and keeps its
        extremes. With `wait` the server answers when there is a new point, or after `wait` seconds (at most 60).
        """
        return self._metrics(id, FEW, series, after, max_points, wait)

    def events(self, id: str, after: int | str | None = None, limit: int | None = None) -> Page[Event]:
        return self._get(Page[Event], _path("jobs", id, "events"), {"after": after, "limit": limit})

    def stream(self, id: str, last_event_id: str | None = None) -> Iterator[ServerEvent]:
        """Yield the events and metrics of a job as they happen, until `end`. A broken connection is opened again."""
        return listen(self._transport, _path("jobs", id, "events"), last_event_id)

    def logs(self, id: str) -> str:
        """The job's log as text: what the trainer did, with times, and what it printed."""
        return self._transport.send("GET", _path("jobs", id, "logs")).text

    def checkpoints(self, id: str, limit: int | None = None, after: str | None = None) -> Page[Checkpoint]:
        return self._get(Page[Checkpoint], _path("jobs", id, "checkpoints"), {"limit": limit, "after": after})

    def checkpoint(self, id: str, checkpoint: str = "best") -> Checkpoint:
        """One checkpoint of a job. `checkpoint` is an id, `best` or `last`."""
        return self._get(Checkpoint, _path("jobs", id, "checkpoints", checkpoint))

    def digest(self, id: str, checkpoint: str = "best") -> str:
        """The SHA-256 of a checkpoint's weights, from the headers, without a download."""
        return Promise.read(self._transport.send("HEAD", _weights(id, checkpoint), headers=IDENTITY)).sha256

    def pull(self, id: str, path: str | Path, checkpoint: str = "best", progress: Progress | None = None) -> Path:
        """Download weights (safetensors) to `path`, a file, or a folder (a new one ends in a slash). Returns the file.

        A broken download continues from `path`.part. The file gets its name when all bytes have arrived and the SHA-256
        is right. `progress` is called with the bytes so far and the total. Raises DigestMismatch.
        """
        file = target(path, f"{id}-{checkpoint}.safetensors")
        return download(self._transport, _weights(id, checkpoint), file, progress)

    def export(
        self, id: str, checkpoint: str, format: ExportFormat, path: str | Path, progress: Progress | None = None
    ) -> Path:
        """Download a checkpoint as an ONNX model, a torch.export program (pt2) or a bundle. Checks it as `pull` does.

        The service makes the export on request, which takes seconds, or longer for large networks. `path` may be a
        folder.
        """
        file = target(path, f"{id}-{checkpoint}.{'zip' if format == 'bundle' else format}")
        source = _path("jobs", id, "checkpoints", checkpoint, "export") + f"?format={quote(format, safe='')}"
        return download(self._transport, source, file, progress, timeout=EXPORT)

    def predict(
        self,
        id: str,
        rows: Sequence[Any],
        checkpoint: str = "best",
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        seed: int | None = None,
    ) -> Predictions:
        """One prediction per row, from `checkpoint`: an id, `best` or `last`.

        A row is a string (text), a list (array, image, tokens) or a dict of columns (table). A NumPy array may stand
        for a list, and the bytes of a PNG, JPEG or WebP file for an image. A language model continues each string; the
        other arguments are for language models: it samples from the `top_k` most probable tokens, and the same `seed`
        gives the same text.
        """
        how = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k, "seed": seed}
        query, body, path = {"checkpoint": checkpoint}, rows_to_predict.body(rows, how), _path("jobs", id, "predict")
        return _read(Predictions, self._transport.send("POST", path, params=query, json=body, repeatable=True))

    def predict_file(
        self,
        id: str,
        path: str | Path,
        destination: str | Path,
        checkpoint: str = "best",
        progress: Progress | None = None,
    ) -> PredictedFile:
        """Predict the rows of a CSV, TSV, JSON Lines or Parquet file, and write them to `destination`.

        The answer has the same form and order, and the columns of the prediction besides. Both files are streamed.
        """
        url = _path("jobs", id, "predict")
        return rows_to_predict.predict_file(self._transport, url, Path(path), Path(destination), checkpoint, progress)

    def upload(
        self,
        path: str | Path,
        name: str | None = None,
        progress: Progress | None = None,
        hints: Hints | Mapping[str, Any] | None = None,
    ) -> Dataset:
        """Upload a file as a dataset, streamed from disk. The same bytes with the same hints are one dataset.

        `hints` say how to read it: {"delimiter": ";", "features": {"zip": {"kind": "category"}}}.
        """
        source = Path(path)
        query = {"name": name or source.stem, **parameters(hints or {})}
        with Upload(source, progress) as file:
            response = self._transport.send("POST", "/v1/datasets", params=query, files={"file": (source.name, file)})
        return _read(Dataset, response)

    def datasets(self, limit: int | None = None, after: str | None = None) -> Page[Dataset]:
        return self._get(Page[Dataset], _path("datasets"), {"limit": limit, "after": after})

    def dataset(self, id: str) -> Dataset:
        """An uploaded dataset by its id, ds_…, or a built-in dataset by its name."""
        return self._get(Dataset, _path("datasets", id))

    def preview(self, id: str, rows: int | None = None) -> Preview:
        return self._get(Preview, _path("datasets", id, "preview"), {"rows": rows})

    def delete_dataset(self, id: str) -> None:
        """Delete an uploaded dataset. Raises Conflict while any job uses it, ended jobs included."""
        self._transport.send("DELETE", _path("datasets", id))

    def catalog(self) -> Catalog:
        """Every part that a spec can name, with its JSON Schema."""
        return self._get(Catalog, _path("catalog"))

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of a job spec, with every part of the server."""
        return _read(AnyObject, self._transport.send("GET", _path("schemas", "job-spec"))).root

    def workers(self) -> Page[Worker]:
        return self._get(Page[Worker], _path("workers"))

    def watch(
        self, id: str, every: float = 0.5, wait: float = 5.0, on_outage: OnOutage | None = None
    ) -> Iterator[tuple[Job, Metrics]]:
        """Yield the job and its new points repeatedly, until the job has ended.

        `all_points = all_points.followed_by(metrics)` collects the points; after a resume some points come again. It
        yields at most once in `every` seconds, and about once in `wait` seconds at least. If a service that has
        answered once becomes unreachable, `watch` waits for it without a time limit. It calls `on_outage` with the
        error of each attempt, and with None when the service answers again. By default, it writes warnings to the
        logger `athanor`.
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
        # Points that were recorded after the last metrics and before the job ended.
        rest = self._metrics(id, retry, after=points.next)
        if rest.series:
            yield job, rest

    def wait(self, id: str, timeout: float | None = None, on_outage: OnOutage | None = None) -> Job:
        """Wait until the job has ended, and return it. Raises JobFailed, and TimeoutError after `timeout` seconds.

        Like `watch`, it waits for a service that becomes unreachable, but never longer than `timeout` seconds in all.
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
    # Quote ids: an id is user input, and one with a slash must not lead to another endpoint.
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _weights(id: str, checkpoint: str) -> str:
    return _path("jobs", id, "checkpoints", checkpoint, "weights")


def _json(spec: Spec) -> Any:
    return spec.model_dump(mode="json", exclude_unset=True) if isinstance(spec, JobSpec) else dict(spec)


def _read(answer: type[M], response: httpx.Response) -> M:
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise AthanorError(
            f"the answer of {response.url} is not a {answer.__name__}: it is not an Athanor service, or one of a "
            f"version that this client ({__version__}) does not know\n{error}"
        ) from error
