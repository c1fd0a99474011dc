"""Columns as the features of a spec read them: described by a child process, which reads the dataset's rows."""

import json
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from api import builtin
from api.deps import Service
from api.problems import Refused
from athanor.contract import Column, Dataset, Schema
from models.data import intake
from models.data.columns import find_column
from models.errors import DataError, SpecError
from models.parts.feature import Feature

KEPT = 20
"""Requests whose descriptions are kept: a spec is often planned, submitted and forked one after the other."""

AT_ONCE, PATIENCE = 2, 2.0
"""Child processes at a time, and seconds that a request waits for one."""

_turns = threading.BoundedSemaphore(AT_ONCE)
_kept: OrderedDict[tuple[str, str], dict[str, Column]] = OrderedDict()
_lock = threading.Lock()


def schema_for(service: Service, dataset: Dataset, features: Mapping[str, Feature]) -> Schema:
    """The schema of a dataset, with the columns as `features` read them.

    Raises SpecError for a column that is not there, or a cell that cannot be read.
    """
    known = {name: find_column(dataset.schema_, name, "/dataset/features") for name in features}
    other = {
        name: feature
        for name, feature in features.items()
        if (known[name].kind, known[name].settings) != (feature.kind, feature.settings())
    }
    if not other:
        return dataset.schema_
    key = dataset.id, json.dumps({name: feature.model_dump(mode="json") for name, feature in other.items()})
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
    if found is None:
        found = {column.name: column for column in _described(service, dataset, other, [known[name] for name in other])}
        with _lock:
            _kept[key] = found
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
    columns = [found.get(column.name, column) for column in dataset.schema_.columns]
    return dataset.schema_.model_copy(update={"columns": columns})


def _described(
    service: Service, dataset: Dataset, features: Mapping[str, Feature], columns: list[Column]
) -> list[Column]:
    # A request that waits holds a thread that others need.
    if not _turns.acquire(timeout=PATIENCE):
        raise Refused(
            503,
            "busy",
            "other specs have their columns read in another way; send this again",
            headers={"Retry-After": "2"},
        )
    try:
        with tempfile.TemporaryDirectory(dir=service.settings.scratch) as folder:
            rows = Path(folder) / "rows.parquet"
            builtin.fetch(service, dataset.id, rows)
            seconds, decimal = service.settings.limits.intake_seconds, dataset.dialect.get("decimal")
            return intake.run_description(rows, features, columns, seconds, decimal)
    except DataError as error:
        raise SpecError("/dataset/features", str(error), code="wrong_feature") from error
    finally:
        _turns.release()
