"""Built-in datasets. Their rows are stored like an upload when they are first used."""

import hashlib
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy.exc import NoResultFound

from api.dataset_store import add_dataset, fetch_rows, has_rows, restore_rows
from api.deps import Service
from api.problems import Refused
from athanor.contract import Dataset, Hints
from models.data import intake
from models.parts.dataset import DATASETS
from models.records import datasets

_write_lock = threading.Lock()


HASH_AGAIN = 600.0
"""Seconds after which stored rows are hashed again. Until then only their size is checked."""

_verified: dict[datasets.Blob, tuple[int, float]] = {}
"""The size of rows that had the right hash, and the time of that check (time.monotonic)."""


def _is_whole(service: Service, dataset_id: str) -> bool:
    """Whether the store still has a set's rows, undamaged.

    The rows are hashed only every HASH_AGAIN seconds, because that reads all of them. Rows that were marked as damaged
    have another `Blob`, so they are hashed at once.
    """
    try:
        with service.database.reading() as tx:
            blob = datasets.blob_of(tx, dataset_id)
        size, now = service.store.size(blob.key), time.monotonic()
    except (FileNotFoundError, NoResultFound):
        return False
    before = _verified.get(blob)
    if before is not None and before[0] == size and now - before[1] < HASH_AGAIN:
        return True
    if not has_rows(service, dataset_id):
        return False
    _verified[blob] = (size, now)
    return True


def find(service: Service, dataset_id: str) -> Dataset | None:
    """The dataset with this id or built-in name, or None. Lost or damaged rows of a built-in dataset are made again."""
    with service.database.reading() as tx:
        found = datasets.get(tx, dataset_id)
    if dataset_id in DATASETS and (found is None or not _is_whole(service, dataset_id)):
        with _write_lock:
            found = _store(service, dataset_id)
    return found


def fetch(service: Service, dataset_id: str, destination: Path) -> None:
    """Like `fetch_rows`, but lost or damaged rows of a built-in dataset are made again."""
    try:
        fetch_rows(service, dataset_id, destination)
    except Refused as refused:
        if refused.code != "corrupt_dataset" or dataset_id not in DATASETS:
            raise
        find(service, dataset_id)
        fetch_rows(service, dataset_id, destination)


def _store(service: Service, kind: str) -> Dataset | None:
    with service.database.reading() as tx:
        found = datasets.get(tx, kind)
    if found is not None and has_rows(service, kind):
        return found
    with tempfile.TemporaryDirectory(dir=service.settings.scratch) as folder:
        rows = Path(folder) / "rows.parquet"
        taken = intake.ingest(DATASETS[kind].model_validate({}).source(), rows)
        if found is not None and restore_rows(service, found, taken, rows):
            return found
        sha256 = hashlib.sha256(rows.read_bytes()).hexdigest()
        size = rows.stat().st_size
        add_dataset(
            service,
            taken,
            rows,
            id=kind,
            name=kind,
            format=datasets.BUILT_IN,
            size=size,
            sha256=sha256,
            identity=intake.identity(sha256, Hints()),
        )
    with service.database.reading() as tx:
        return datasets.get(tx, kind)
