"""Checkpoints: list them, read one, download its weights."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from api.deps import Parts, Service, Window, missing, paged
from api.downloads import BYTES, Conditional, Download, answers, send
from api.pages import page
from api.problems import Refused
from athanor.contract import Checkpoint, Page
from athanor.files import PREPARATION, WEIGHTS
from models.records import checkpoints, job_views
from models.records.checkpoints import Stored
from models.storage.store import Corrupt, fetch, fetch_header

router = APIRouter(prefix="/jobs/{job_id}/checkpoints", tags=["checkpoints"])

FILES = (WEIGHTS, PREPARATION)
"""The files of a checkpoint that predictions and exports need."""


@router.get("")
def index(service: Parts, job_id: str, window: Annotated[Window, paged("ckpt")]) -> Page[Checkpoint]:
    """List a job's checkpoints in the order in which they were written."""
    with service.database.reading() as tx:
        if job_views.version(tx, job_id) is None:
            raise missing("job", job_id)
        return page(*checkpoints.page(tx, job_id, window.after, window.limit))


@router.get("/{checkpoint_id}")
def read(service: Parts, job_id: str, checkpoint_id: str) -> Checkpoint:
    """Read one checkpoint. `checkpoint_id` is an id, `best` or `last`."""
    with service.database.reading() as tx:
        return checkpoints.answer(tx, find(tx, job_id, checkpoint_id).id)


def find(tx: Session, job_id: str, wanted: str) -> Stored:
    """The checkpoint `wanted`: an id, `best` or `last`. Raises Refused (404)."""
    mode = job_views.best_mode(tx, job_id)
    if mode is None:
        raise missing("job", job_id)
    if wanted == "last":
        found = checkpoints.newest(tx, job_id)
    elif wanted == "best":
        found = checkpoints.best(tx, job_id, mode)
    else:
        found = checkpoints.by_id(tx, job_id, wanted)
    if found is None:
        raise missing("checkpoint", wanted)
    return found


@router.get("/{checkpoint_id}/weights", response_class=StreamingResponse, responses=answers(BYTES))
@router.head("/{checkpoint_id}/weights", include_in_schema=False)
def weights(request: Request, service: Parts, job_id: str, checkpoint_id: str, conditions: Conditional) -> Response:
    """Download a checkpoint's weights as safetensors.

    The ETag and `Repr-Digest` are the file's SHA-256. HEAD, Range, If-Range and If-None-Match are supported, so a
    broken download can continue where it stopped.
    """
    stored = _whole(service, job_id, checkpoint_id)
    file = stored.file(WEIGHTS)

    def read(start: int, stop: int) -> Iterator[bytes]:
        return service.store.read(stored.key(WEIGHTS), start, stop)

    name = f"{job_id}-step-{stored.step}.safetensors"
    return send(request, Download(name, file.bytes, file.sha256, read), conditions)


def take(service: Service, job_id: str, wanted: str, folder: Path) -> Checkpoint:
    """Copy the `FILES` of a checkpoint into `folder`. Raises Refused: 404, or 409 if the files are damaged."""

    def fetch_file(stored: Stored, name: str) -> None:
        fetch(service.store, stored.key(name), folder / name, stored.file(name).sha256)

    return _fetched(service, job_id, wanted, fetch_file)


def peek(service: Service, job_id: str, wanted: str, folder: Path) -> Checkpoint:
    """Like `take`, but of the weights only the header with names and shapes. The values are a hole in the file."""

    def fetch_file(stored: Stored, name: str) -> None:
        if name == WEIGHTS:
            fetch_header(service.store, stored.key(name), folder / name, stored.file(name).bytes)
        else:
            fetch(service.store, stored.key(name), folder / name, stored.file(name).sha256)

    return _fetched(service, job_id, wanted, fetch_file)


def _fetched(service: Service, job_id: str, wanted: str, fetch_file: Callable[[Stored, str], None]) -> Checkpoint:
    # Two tries, because a running job may replace `best` between the query and the copy.
    for _ in range(2):
        with service.database.reading() as tx:
            stored = find(tx, job_id, wanted)
            checkpoint = checkpoints.answer(tx, stored.id)
        with suppress(Corrupt):
            for name in FILES:
                fetch_file(stored, name)
            return checkpoint
    raise _broken(stored)


def _whole(service: Service, job_id: str, wanted: str) -> Stored:
    """A checkpoint whose weights have the right size. Raises Refused: 404, or 409 if they are missing or truncated.

    The size is checked before the headers are sent, because no error can be reported later. The client checks the
    digest.
    """
    # Two tries, as in `take`.
    for _ in range(2):
        with service.database.reading() as tx:
            stored = find(tx, job_id, wanted)
        with suppress(FileNotFoundError):
            if service.store.size(stored.key(WEIGHTS)) == stored.file(WEIGHTS).bytes:
                return stored
    raise _broken(stored)


def _broken(stored: Stored) -> Refused:
    return Refused(
        409, "corrupt_checkpoint", f"the files of checkpoint {stored.id} are damaged; use another checkpoint"
    )
