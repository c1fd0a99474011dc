"""Datasets that come with the service, written down like an upload the first time somebody names them."""

import hashlib
import tempfile
import threading
from pathlib import Path

from api.deps import Service
from api.shelving import shelve
from athanor.contract import Dataset
from models import intake
from models.kinds import DATASETS
from models.records import datasets

_one_at_a_time = threading.Lock()


def find(service: Service, dataset_id: str) -> Dataset | None:
    """The dataset of that id or built-in name, or None."""
    with service.database.reading() as tx:
        found = datasets.get(tx, dataset_id)
    if found is None and dataset_id in DATASETS:
        with _one_at_a_time:
            found = _write_down(service, dataset_id)
    return found


def _write_down(service: Service, kind: str) -> Dataset | None:
    with service.database.reading() as tx:
        if found := datasets.get(tx, kind):
            return found
    with tempfile.TemporaryDirectory(dir=service.settings.scratch) as folder:
        rows = Path(folder) / "rows.parquet"
        taken = intake.ingest(DATASETS[kind].model_validate({}).source(), rows)
        sha256 = hashlib.sha256(rows.read_bytes()).hexdigest()
        size = rows.stat().st_size
        shelve(service, taken, rows, id=kind, name=kind, format="built-in", size=size, sha256=sha256)
    with service.database.reading() as tx:
        return datasets.get(tx, kind)
