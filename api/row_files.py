"""Files of rows to predict: how a request says that it is one, and its way through a process of its own."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api import submission
from api.deps import Service, missing
from api.problems import Refused
from api.routes.checkpoints import find, take
from api.uploads import Upload
from athanor.contract import PredictedFile
from athanor.files import WEIGHTS
from athanor.processes.left_behind import scratch_folder
from models.data.formats import candidates
from models.errors import DataError
from models.parts.feature import shown
from models.records import datasets
from models.serving import file_process
from models.serving.file_process import Abandoned, Answered, FileOrder, Unanswered
from models.serving.predictor_process import Died

FORM = "multipart/form-data"
SUFFIXES = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/vnd.apache.parquet": ".parquet",
}
"""The suffix of a body by its media type. In a form, the name of the file has one."""
MEDIA = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
"""The media type of an answer by the format of the rows."""
ENDINGS = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet")
"""Of the names of files of rows."""
REMARKS = "Athanor-Predictions"
LONGEST_REMARKS = 6_000
"""Characters of the header. Many servers between a client and the service refuse longer heads."""
PIECE = 2**20
PULSE = 0.5
"""Seconds between two looks at whether the caller is still there."""


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def is_file(content_type: str) -> bool:
    """Whether the body of a request is a file of rows, by its header Content-Type. Any other is JSON."""
    return media_type(content_type) in {FORM, *SUFFIXES}


def instead(content_type: str) -> str:
    """The end of a message that a body is not JSON: what is read, if the body did not claim to be JSON."""
    media = media_type(content_type)
    if media == "application/json" or media.endswith("+json"):
        return ""
    said = f"its media type is {shown(media)}" if media else "it has no media type"
    return (
        f"; {said}. Rows to predict come as application/json, or as a file: as the body with the media type "
        f"{', '.join(SUFFIXES)}, or in the form field `file` with a name that ends in {', '.join(ENDINGS)}"
    )


async def predict(request: Request, service: Service, job_id: str, wanted: str) -> StreamingResponse:
    """Answer a request whose body is a file. Raises Refused."""
    await run_in_threadpool(_check, service, job_id, wanted)
    with scratch_folder(service.settings.scratch) as folder:
        rows = Upload(folder / file_process.ROWS, service.settings.limits.max_upload_bytes)
        kind = media_type(request.headers.get("content-type", ""))
        if kind == FORM:
            await rows.receive(request)
        else:
            await rows.receive_bare(request, f"rows{SUFFIXES[kind]}")
        format = await run_in_threadpool(_format, rows)
        async with service.file_predictions.slot() as threads:
            abandoned = threading.Event()
            watch = asyncio.create_task(_watch(request, abandoned))
            try:
                answered = await to_thread.run_sync(
                    _answer, service, job_id, wanted, format, folder, abandoned, limiter=threads
                )
            finally:
                # Also where the service shuts down: nobody takes the answer then.
                abandoned.set()
                watch.cancel()
        # An open file stays readable after its folder is deleted.
        file = answered.path.open("rb")
        size = answered.path.stat().st_size

    def pieces() -> Iterator[bytes]:
        with file:
            while piece := file.read(PIECE):
                yield piece

    headers = {
        REMARKS: remarks(answered.predicted),
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="predictions.{format}"',
    }
    return StreamingResponse(pieces(), headers=headers, media_type=MEDIA[format])


def remarks(predicted: PredictedFile) -> str:
    """The header: JSON in ASCII, with as many warnings as it has room for."""
    told: dict[str, Any] = json.loads(predicted.model_dump_json())
    while len(text := json.dumps(told, separators=(",", ":"))) > LONGEST_REMARKS and told["warnings"]:
        told["warnings"].pop()
        told["more_warnings"] += 1
    return text


async def _watch(request: Request, abandoned: threading.Event) -> None:
    while not await request.is_disconnected():
        await asyncio.sleep(PULSE)
    abandoned.set()


def _check(service: Service, job_id: str, wanted: str) -> None:
    """Refuse before the file arrives what cannot work with any file."""
    submission.usable(service, job_id)
    with service.database.reading() as tx:
        size = find(tx, job_id, wanted).file(WEIGHTS).bytes
    most = service.settings.limits.max_loaded_bytes
    if size > most:
        raise Refused(422, "over_limit", f"the weights are {size:,} bytes; predictions load {most:,} at most")


def _format(rows: Upload) -> str:
    if not rows.filename.lower().endswith(ENDINGS):
        listed = ", ".join(ENDINGS)
        raise Refused(422, "data", f"rows to predict come as {listed}; {rows.filename[-100:]!r} is another format")
    try:
        (found,) = candidates(rows.filename, rows.path)
    except DataError as error:
        raise Refused(422, "data", str(error)) from error
    return found


def _answer(
    service: Service, job_id: str, wanted: str, format: str, folder: Path, abandoned: threading.Event
) -> Answered:
    trained = submission.usable(service, job_id)
    with service.database.reading() as tx:
        dataset = datasets.get(tx, trained.dataset_id)
    if dataset is None:
        raise missing("job", job_id)
    stored = take(service, job_id, wanted, folder)
    order = FileOrder(
        checkpoint_id=stored.id,
        resolved=trained.spec(),
        dataset_schema=dataset.schema_,
        format=format,
        dialect=dataset.dialect,
    )
    limits = service.settings.limits
    try:
        return file_process.run(order, folder, limits.max_predict_memory_bytes, limits.predict_seconds, abandoned)
    except Unanswered as error:
        status = 413 if error.fault.code == "over_limit" and not error.fault.pointer else 422
        said = f"{error.fault.pointer}: {error.fault.message}" if error.fault.pointer else error.fault.message
        raise Refused(status, error.fault.code, said, [error.fault]) from error
    except Died as error:
        raise Refused(422, "over_limit", str(error)) from error
    except Abandoned as error:
        raise Refused(503, "abandoned", "the caller has left") from error
