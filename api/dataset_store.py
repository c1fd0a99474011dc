"""The rows of datasets in the store: add, fetch, restore. Files are stored before the database names them."""

from pathlib import Path

from sqlalchemy.exc import IntegrityError, NoResultFound

from api.deps import Service, missing
from api.problems import Refused
from athanor.contract import Dataset
from models.data.intake import Intake
from models.records import datasets
from models.records.ids import new_id
from models.storage.store import Corrupt, checked, fetch_dataset


def add_dataset(
    service: Service,
    taken: Intake,
    rows: Path,
    *,
    id: str,
    name: str,
    format: str,
    size: int,
    sha256: str,
    identity: str,
) -> bool:
    """Store the file `rows` that the intake wrote, and add the dataset. False if another request has just added it."""
    blob = _put(service, rows)
    new = datasets.New(
        id=id,
        name=name,
        format=format,
        rows=taken.rows,
        bytes=size,
        sha256=sha256,
        identity=identity,
        dialect=taken.dialect,
        schema=taken.schema,
        warnings=taken.warnings,
        blob=blob,
    )
    try:
        with service.database.writing() as tx:
            datasets.add(tx, new)
    except IntegrityError:
        service.discard(blob.key)
        return False
    return True


def fetch_rows(service: Service, dataset_id: str, destination: Path) -> None:
    """Copy a dataset's rows to `destination`. Raises Refused: 404, or 409 if the stored rows are lost or damaged."""
    try:
        fetch_dataset(service.store, service.database, dataset_id, destination)
    except Corrupt as error:
        detail = f"the rows of dataset {dataset_id} are lost or damaged; upload the same file again to restore them"
        raise Refused(409, "corrupt_dataset", detail) from error
    except NoResultFound:
        raise missing("dataset", dataset_id) from None


def restore_rows(service: Service, dataset: Dataset, taken: Intake, rows: Path) -> bool:
    """Store the rows of a dataset again, after the store lost or damaged them. False if the dataset was deleted.

    Raises Refused (409) if these rows differ from the dataset's: an earlier version read the same file differently.
    """
    if (taken.rows, taken.schema) != (dataset.rows, dataset.schema_):
        detail = (
            f"this version reads the file differently than dataset {dataset.id} was read; delete that dataset first"
        )
        raise Refused(409, "other_schema", detail)
    blob = _put(service, rows)
    try:
        with service.database.writing() as tx:
            old = datasets.replace_blob(tx, dataset.id, blob)
    except NoResultFound:
        service.discard(blob.key)
        return False
    service.discard(old.key)
    return True


def has_rows(service: Service, dataset_id: str) -> bool:
    """Whether the store still has a dataset's rows with the right digest."""
    try:
        with service.database.reading() as tx:
            blob = datasets.blob_of(tx, dataset_id)
        for _ in checked(service.store, blob.key, blob.sha256):
            pass
    except (Corrupt, NoResultFound):
        return False
    return True


def _put(service: Service, rows: Path) -> datasets.Blob:
    # With a new key, a deletion of the same dataset at the same time does not remove these rows.
    key = f"datasets/{new_id('put')}"
    return datasets.Blob(key, service.store.put(key, rows))
