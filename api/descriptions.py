"""Columns as the features of a spec read them: described by a child process, which reads the dataset's rows."""

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

KEPT = 200
"""Descriptions that are kept: a spec is often planned, submitted and forked one after the other."""

AT_ONCE, PATIENCE = 2, 2.0
"""Child processes at a time, and seconds that a request waits for one."""

_turns = threading.BoundedSemaphore(AT_ONCE)
_kept: OrderedDict[tuple[str, str, str], Column] = OrderedDict()
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
    found: dict[str, Column] = {}
    for name, feature in other.items():
        with _lock:
            if column := _kept.get(_key(dataset, name, feature)):
                found[name] = column
    if missing := {name: feature for name, feature in other.items() if name not in found}:
        for column in _described(service, dataset, missing, [known[name] for name in missing]):
            found[column.name] = column
            with _lock:
                _kept[_key(dataset, column.name, missing[column.name])] = column
                while len(_kept) > KEPT:
                    _kept.popitem(last=False)
    columns = [found.get(column.name, column) for column in dataset.schema_.columns]
    return dataset.schema_.model_copy(update={"columns": columns})


def _key(dataset: Dataset, name: str, feature: Feature) -> tuple[str, str, str]:
    return dataset.sha256 + dataset.id, name, feature.model_dump_json()


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
