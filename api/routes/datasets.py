"""Datasets: upload, list, read, preview, delete."""

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.exc import NoResultFound

from api import builtin
from api.dataset_store import add_dataset, has_rows, restore_rows
from api.deps import Parts, Service, Window, missing, paged
from api.hints import GivenHints
from api.openapi import LOCATION, Answers
from api.pages import page
from api.problems import Refused
from api.uploads import Upload
from athanor.contract import Dataset, Page, Preview
from models.data import intake
from models.data.formats import candidates
from models.data.formats.limits import OverLimit
from models.data.intake import ReadHints
from models.errors import DataError
from models.parts.dataset import DATASETS
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
                    "additionalProperties": False,
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


BUILT_IN = [each.model_fields["kind"].default for each in DATASETS]
ANSWERS: Answers = {
    200: {"model": Dataset, "description": "The same bytes are a dataset already.", "headers": LOCATION},
    201: {"headers": LOCATION},
}


@router.post("", status_code=201, openapi_extra=FORM, responses=ANSWERS)
async def create(
    request: Request,
    response: Response,
    service: Parts,
    hints: GivenHints,
    name: Annotated[str | None, Query(min_length=1, max_length=200, description="Default: the file's name.")] = None,
) -> Dataset:
    """Upload a file as a dataset: csv, tsv, json, jsonl or txt, each also as gz; xlsx, parquet, npz, or a zip.

    A zip holds class folders of images or texts, IDX files, one data file, or files named train, val and test. The
    answer is 201 with the inferred schema, or 200 with the existing dataset if the same bytes were uploaded before with
    the same hints. In that case, rows that the store has lost are restored. All parameters but `name` are hints for the
    reader.
    """
    with tempfile.TemporaryDirectory(dir=service.settings.scratch) as folder:
        upload = Upload(Path(folder) / "upload", service.settings.limits.max_upload_bytes)
        await upload.receive(request)
        formats = await to_thread.run_sync(_formats, upload)
        async with service.intakes.slot() as threads:
            dataset, is_new = await to_thread.run_sync(
                _take_in, service, upload, formats, name or upload.filename, hints, limiter=threads
            )
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/datasets/{dataset.id}"
    return dataset


def _formats(upload: Upload) -> Collection[str]:
    """The formats that the file may have, by its name and its first bytes. Raises Refused if it has none."""
    try:
        return candidates(upload.filename, upload.path)
    except DataError as error:
        raise Refused(422, "data", str(error)) from error


def _take_in(
    service: Service, upload: Upload, formats: Collection[str], name: str, hints: ReadHints
) -> tuple[Dataset, bool]:
    """Make a dataset of an uploaded file. Returns it, and whether it is new. Raises Refused and stores nothing then."""
    rows, identity = upload.path.with_name("rows.parquet"), intake.identity(upload.sha256, hints)
    try:
        # The format of a zip is known after the child has listed it. Equal bytes with that suffix have the same.
        with service.database.reading() as tx:
            known = datasets.identical(tx, identity, formats)
        if known is not None and has_rows(service, known.id):
            return known, False
        taken = intake.run(
            upload.path, upload.filename, rows, seconds=service.settings.limits.intake_seconds, hints=hints
        )
    except OverLimit as error:
        raise Refused(413, "over_limit", str(error)) from error
    except DataError as error:
        raise Refused(422, "data", str(error)) from error
    if known is not None and restore_rows(service, known, taken, rows):
        return known, False
    size = upload.path.stat().st_size
    is_new = add_dataset(
        service,
        taken,
        rows,
        id=new_id("ds"),
        name=name,
        format=taken.format,
        size=size,
        sha256=upload.sha256,
        identity=identity,
    )
    with service.database.reading() as tx:
        dataset = datasets.identical(tx, identity, formats)
    assert dataset is not None
    return dataset, is_new


@router.get("")
def index(service: Parts, window: Annotated[Window, paged("ds", datasets.exists, BUILT_IN)]) -> Page[Dataset]:
    """List datasets, newest first. A built-in dataset is listed after its first use; the catalog names them all."""
    with service.database.reading() as tx:
        return page(*datasets.page(tx, window.after, window.limit))


@router.get("/{dataset_id}")
def read(service: Parts, dataset_id: str) -> Dataset:
    """Read one dataset: an uploaded one by its id, a built-in one by its name."""
    found = builtin.find(service, dataset_id)
    if found is None:
        raise missing("dataset", dataset_id)
    return found


@router.get("/{dataset_id}/preview")
async def preview(
    service: Parts,
    dataset_id: str,
    rows: Annotated[int, Query(ge=1, le=100, description="The number of rows to show.")] = 10,
) -> Preview:
    """Show a dataset's first rows as the service reads them. An image is shown by its shape.

    A cell of more than 1,000 characters is cut, and ends in …. A preview has at most 1,000 columns and about 256 KiB,
    so it shows fewer rows, and shorter cells, of a dataset with many columns.
    """
    # The rows are copied to disk within the slot: waiting requests must not fill it.
    async with service.previews.slot() as threads:
        return await to_thread.run_sync(_preview, service, dataset_id, rows, limiter=threads)


def _preview(service: Service, dataset_id: str, rows: int) -> Preview:
    # The rows of a built-in dataset are made at its first use.
    found = builtin.find(service, dataset_id)
    if found is None:
        raise missing("dataset", dataset_id)
    with tempfile.TemporaryDirectory(dir=service.settings.scratch) as folder:
        there = Path(folder) / "rows.parquet"
        builtin.fetch(service, dataset_id, there)
        try:
            return intake.run_preview(there, rows, found.schema_.columns)
        except DataError as error:
            raise Refused(422, "data", str(error)) from error


@router.delete("/{dataset_id}", status_code=204)
def delete(service: Parts, dataset_id: str) -> None:
    """Delete an uploaded dataset. The answer is 409 while any job uses it, ended jobs included."""
    try:
        with service.database.writing() as tx:
            blob = datasets.remove(tx, dataset_id)
    except NoResultFound:
        raise missing("dataset", dataset_id) from None
    except datasets.InUse as error:
        raise Refused(409, "in_use", f"the dataset is used by {error}; delete the jobs that use it first") from error
    service.discard(blob.key)
