"""Describe columns of a dataset anew, as the features read them that a spec names for them."""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field, JsonValue, ValidationError

from athanor.contract import Column, Schema
from athanor.processes.bounded import Bounds, run_bounded
from athanor.processes.confinement import leave
from athanor.processes.left_behind import scratch_folder
from models.data.formats.limits import GIB, MIB, Limits
from models.data.intake.canonical import batches, described, most_classes, read_cells
from models.data.intake.evidence import Evidence
from models.data.intake.hints import ReadHints
from models.data.intake.schema_size import answer_bytes, bounded
from models.data.intake.summary import Summary
from models.data.intake.texts import Texts
from models.data.intake.warm import PARENT
from models.data.table import Layout
from models.errors import DataError
from models.parts.feature import Feature
from models.parts.feature import of as feature_of

MODULE = "models.data.intake.description"
_ADDRESSES = 4 * GIB
_WALL = 4
"""A child may take this many times its processor time, because it may have to wait for a processor."""


class _Answer(BaseModel):
    columns: list[Column] = Field(default_factory=list)
    error: str | None = None


def run(
    path: Path, features: Mapping[str, Feature], columns: list[Column], seconds: int, decimal: JsonValue = None
) -> list[Column]:
    """The description of the columns of the dataset's file at `path`, read by `features`, made in a child process.

    `columns` describe the same columns before, and `decimal` is the decimal mark that the dataset's dialect has. Raises
    DataError for a cell that cannot be read.
    """
    limits = Limits().for_upload(path.stat().st_size)
    order = {
        "decimal": decimal if decimal in (".", ",") else None,
        "limits": asdict(limits),
        "features": {name: feature.model_dump(mode="json") for name, feature in features.items()},
        "columns": [column.model_dump(mode="json", include={"name", "kind", "shape", "stored"}) for column in columns],
    }
    seconds = min(seconds, limits.max_seconds)
    memory = limits.max_memory_bytes
    bounds = Bounds(_ADDRESSES + memory, seconds, MIB, answer_bytes(limits), wall=_WALL * seconds)
    with scratch_folder(path.parent, "describe-") as folder:
        told = folder / "order.json"
        told.write_text(json.dumps(order))
        arguments = [str(path), str(told)]
        try:
            done = run_bounded(MODULE, arguments, folder=folder, bounds=bounds, readable=[path], warm=PARENT)
        except TimeoutError as error:
            raise DataError(f"reading the columns in this way took longer than {_WALL * seconds} s") from error
        try:
            answer = _Answer.model_validate_json(done.output)
        except ValidationError as error:
            raise DataError(
                f"the process that read the columns in this way ended with {done.code}; it may have run out of memory "
                f"({memory:,} bytes for a file of this size) or of processor time ({seconds} s)"
            ) from error
    if answer.error is not None:
        raise DataError(answer.error)
    return answer.columns


def describe(
    path: Path,
    features: Mapping[str, Feature],
    columns: list[Column],
    limits: Limits,
    decimal: Literal[".", ","] | None = None,
) -> list[Column]:
    """The description of these columns of a dataset's file, as `features` read them. Raises DataError.

    `decimal` is the decimal mark of the file's numbers, if it is known.
    """
    texts, most = Texts(limits), most_classes(limits, len(columns))
    with pq.ParquetFile(path) as file:
        names = [column.name for column in columns]
        layouts = {column.name: _layout(column) for column in columns}
        kinds = {each.name: each.type for each in file.schema_arrow}
        evidence = {
            name: Evidence(kinds[name], layouts[name], texts, untyped=pa.types.is_string(kinds[name]), most=most)
            for name in names
        }
        for start, batch in batches(file, names):
            for name in names:
                evidence[name].see(batch.column(name), start)
        found = [
            described(name, evidence[name], layouts[name], features[name], declared=False, named=False, decimal=decimal)
            for name in names
        ]
        again = Texts(limits)
        for column in found:
            _check_size(column, file.metadata.num_rows, limits)
        summaries = [Summary(column, feature_of(column), again, most=most) for column in found]
        for start, batch in batches(file, names):
            for column, summary in zip(found, summaries, strict=True):
                cells = read_cells(feature_of(column), batch.column(column.name), column, start)
                summary.see(cells, start)
    return bounded(Schema(columns=[summary.column() for summary in summaries]), limits).columns


def _check_size(column: Column, rows: int, limits: Limits) -> None:
    """Raises OverLimit if all rows of images or arrays, as they are read, would be too large."""
    size = rows * feature_of(column).layout(column).width if column.shape else 0
    if size > limits.max_expanded_bytes:
        what = f"{rows:,} rows of column {column.name!r}, read as {column.shape}, are {size:,} bytes"
        raise limits.refuse("max_expanded_bytes", what)


def _layout(column: Column) -> Layout | None:
    return feature_of(column).stored(column) if column.shape else None


def main() -> None:
    """Run in the child: print the descriptions as JSON, or why a cell cannot be read."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("order", type=Path)
    given = parser.parse_args()
    order = json.loads(given.order.read_text())
    limits = Limits(**order["limits"])
    leave(limits.max_memory_bytes)
    features = ReadHints.model_validate({"features": order["features"]}).features
    columns = [Column.model_validate(column) for column in order["columns"]]
    try:
        answer = _Answer(columns=describe(given.path, features, columns, limits, order["decimal"]))
    except DataError as error:
        answer = _Answer(error=str(error))
    except MemoryError:
        answer = _Answer(error=f"reading the columns in this way needs more than {limits.max_memory_bytes:,} bytes")
    print(answer.model_dump_json())


if __name__ == "__main__":
    main()
