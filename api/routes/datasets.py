"""Datasets: upload, look, delete."""

import tempfile
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.exc import NoResultFound

from api import builtin
from api.dataset_store import is_whole, restore, shelve
from api.deps import Paged, Parts, Service, missing
from api.pages import page
from api.problems import Refused
from api.uploads import Upload
from athanor.contract import Dataset, Page, Preview
from models.data import intake
from models.data.formats import sniff
from models.data.formats.limits import OverLimit
from models.errors import DataError
from models.records import datasets
from models.records.ids import new_id

router = APIRouter(prefix="/datasets", tags=["datasets"])

FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.post("", status_code=201, openapi_extra=FORM)
async def create(
    request: Request,
    response: Response,
    service: Parts,
    name: Annotated[str | None, Query(min_length=1, max_length=200, description="default: the file's name")] = None,
) -> Dataset:
    """Upload csv, tsv, jsonl, parquet, npz, txt, or a zip of images, of IDX files, or of train, val and test files.

    201 with the inferred schema; 200 where the same bytes are here already: what the store lost of them is put back.
    """
    with tempfile.TemporaryDirectory(dir=service.settings.scratch) as folder:
        upload = Upload(Path(folder) / "upload", service.settings.limits.max_upload_bytes)
        await upload.receive(request)
        dataset, is_new = await to_thread.run_sync(
            _take_in, service, upload, name or upload.filename, limiter=service.intakes
        )
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/datasets/{dataset.id}"
    return dataset


def _take_in(service: Service, upload: Upload, name: str) -> tuple[Dataset, bool]:
    """A file on disk becomes a dataset, or a refusal that leaves nothing behind."""
    rows = upload.path.with_name("rows.parquet")
    try:
        format_ = sniff(upload.filename, upload.path)
        with service.database.reading() as tx:
            known = datasets.same_bytes(tx, upload.sha256, format_)
        if known is not None and is_whole(service, known.id):
            return known, False
        taken = intake.run(upload.path, upload.filename, rows, seconds=service.settings.limits.intake_seconds)
    except OverLimit as error:
        raise Refused(413, "over_limit", str(error)) from error
    except DataError as error:
        raise Refused(422, "data", str(error)) from error
    if known is not None and restore(service, known, taken, rows):
        return known, False
    size = upload.path.stat().st_size
    is_new = shelve(service, taken, rows, id=new_id("ds"), name=name, format=format_, size=size, sha256=upload.sha256)
    with service.database.reading() as tx:
        dataset = datasets.same_bytes(tx, upload.sha256, format_)
    assert dataset is not None
    return dataset, is_new


@router.get("")
def index(service: Parts, window: Paged) -> Page[Dataset]:
    """Newest first. Built-in sets appear once they have been used; the catalog names them all."""
    with service.database.reading() as tx:
        return page(datasets.page(tx, window.after, window.limit + 1), window.limit)


@router.get("/{dataset_id}")
def read(service: Parts, dataset_id: str) -> Dataset:
    found = builtin.find(service, dataset_id)
    if found is None:
        raise missing("dataset", dataset_id)
    return found


@router.get("/{dataset_id}/preview")
def preview(service: Parts, dataset_id: str, rows: Annotated[int, Query(ge=1, le=100)] = 10) -> Preview:
    """The first rows as they were understood. Images are shown by their shape."""
    found = read(service, dataset_id)
    with tempfile.TemporaryDirectory(dir=service.settings.scratch) as folder:
        there = Path(folder) / "rows.parquet"
        builtin.fetch(service, found.id, there)
        return intake.preview(there, rows)


@router.delete("/{dataset_id}", status_code=204)
def delete(service: Parts, dataset_id: str) -> None:
    """409 while a job names it."""
    try:
        with service.database.writing() as tx:
            blob = datasets.remove(tx, dataset_id)
    except NoResultFound:
        raise missing("dataset", dataset_id) from None
    except datasets.InUse as error:
        raise Refused(409, "in_use", f"the dataset is used by {error}; delete its jobs first") from error
    service.discard(blob.key)
