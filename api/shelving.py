"""Putting a dataset on the shelf: first its rows into the store, then the row that says so."""

from pathlib import Path

from sqlalchemy.exc import IntegrityError

from api.deps import Service
from models.intake import Intake
from models.records import datasets
from models.records.ids import new_id


def shelve(
    service: Service, taken: Intake, rows: Path, *, id: str, name: str, format: str, size: int, sha256: str
) -> bool:
    """Keep what intake wrote to `rows`. False where the same dataset came by another request meanwhile."""
    # A place of its own: a deletion of the same dataset, in progress meanwhile, does not reach it.
    blob = f"datasets/{new_id('put')}"
    service.store.put(blob, rows)
    new = datasets.New(
        id=id,
        name=name,
        format=format,
        rows=taken.rows,
        bytes=size,
        sha256=sha256,
        schema=taken.schema,
        warnings=taken.warnings,
        blob=blob,
    )
    try:
        with service.database.writing() as tx:
            datasets.add(tx, new)
    except IntegrityError:
        service.store.delete(blob)
        return False
    return True
