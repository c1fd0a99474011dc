"""Datasets that come with the service, written down like an upload the first time somebody names them."""

import hashlib
import tempfile
import threading
import time
from pathlib import Path

from sqlalchemy.exc import NoResultFound

from api.dataset_store import add_dataset, fetch_rows, has_rows, restore_rows
from api.deps import Service
from api.problems import Refused
from athanor.contract import Dataset
from models.data import intake
from models.parts.dataset import DATASETS
from models.records import datasets

_one_at_a_time = threading.Lock()


HASH_AGAIN = 600.0
"""Seconds after which rows that were whole are hashed once more; in between their length is looked at."""

_seen: dict[datasets.Blob, tuple[int, float]] = {}
"""How many bytes were found whole, and when, by this process's clock."""


def _is_whole(service: Service, dataset_id: str) -> bool:
    """Whether the store still has a set's rows.

    They are hashed once in a while, not at every look; at once where whoever read them has marked them as damaged.
    """
    try:
        with service.database.reading() as tx:
            blob = datasets.blob_of(tx, dataset_id)
        size, now = service.store.size(blob.key), time.monotonic()
    except (FileNotFoundError, NoResultFound):
        return False
    before = _seen.get(blob)
    if before is not None and before[0] == size and now - before[1] < HASH_AGAIN:
        return True
    if not has_rows(service, dataset_id):
        return False
    _seen[blob] = (size, now)
    return True


def find(service: Service, dataset_id: str) -> Dataset | None:
    """The dataset of that id or built-in name, or None. A built-in one is there even where the store lost its rows."""
    with service.database.reading() as tx:
        found = datasets.get(tx, dataset_id)
    if dataset_id in DATASETS and (found is None or not _is_whole(service, dataset_id)):
        with _one_at_a_time:
            found = _write_down(service, dataset_id)
    return found


def fetch(service: Service, dataset_id: str, destination: Path) -> None:
    """Copy a dataset's rows to `destination`; damaged ones of a built-in set are made again. Raises as `fetch_rows`."""
    try:
        fetch_rows(service, dataset_id, destination)
    except Refused as refused:
        if refused.code != "corrupt_dataset" or dataset_id not in DATASETS:
            raise
        find(service, dataset_id)
        fetch_rows(service, dataset_id, destination)


def _write_down(service: Service, kind: str) -> Dataset | None:
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
        add_dataset(service, taken, rows, id=kind, name=kind, format=datasets.BUILT_IN, size=size, sha256=sha256)
    with service.database.reading() as tx:
        return datasets.get(tx, kind)
