"""The first rows of a dataset, read in a child process: the file's bytes come from a stranger."""

import argparse
import json
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue, ValidationError

from athanor.contract import Column, Preview
from athanor.processes.bounded import Bounds, run_bounded
from athanor.processes.confinement import leave
from athanor.processes.left_behind import scratch_folder
from models.data.formats.limits import GIB, MIB
from models.data.intake.warm import PARENT
from models.errors import DataError
from models.parts.feature import of as feature_of

MODULE = "models.data.intake.preview"
MOST_BYTES = MIB // 4
"""Bytes of a preview, about as JSON has them."""
MOST_CELL = 1000
"""Characters of a cell in a preview, fewer where there are many columns. A longer cell or list of words is cut."""
MOST_COLUMNS = 1000
CUT = "…"
_MEMORY, _SECONDS, _PATIENCE = 512 * MIB, 10, 30
_OTHERWISE = "the dataset's first rows cannot be shown: reading them takes too much time or memory"


def run(path: Path, rows: int, columns: Sequence[Column]) -> Preview:
    """The preview of the dataset's file at `path`, made in a child process. `columns` describe it. Raises DataError."""
    bounds = Bounds(4 * GIB, _SECONDS, MIB, 8 * MOST_BYTES, wall=_PATIENCE)
    told = [column.model_dump(include={"name", "kind", "settings", "integer", "shape", "stored"}) for column in columns]
    with scratch_folder(path.parent, "preview-") as folder:
        described = folder / "columns.json"
        described.write_text(json.dumps(told[:MOST_COLUMNS]))
        try:
            arguments = [str(path), str(rows), str(described)]
            done = run_bounded(MODULE, arguments, folder=folder, bounds=bounds, readable=[path], warm=PARENT)
        except TimeoutError as error:
            raise DataError(_OTHERWISE) from error
    try:
        return Preview.model_validate_json(done.output)
    except ValidationError as error:
        raise DataError(_OTHERWISE) from error


def preview(path: Path, columns: Sequence[Column], rows: int = 20) -> Preview:
    """The first rows of a dataset's file, at most one row group, as the features of its `columns` read them.

    At most MOST_COLUMNS columns and about MOST_BYTES bytes: long cells are cut, and rows left out at the end.
    """
    with pq.ParquetFile(path) as file:
        names = _fitting(file.schema_arrow.names)
        known = {column.name: column for column in columns}
        batch = next(file.iter_batches(max(1, rows), row_groups=[0], columns=names, use_threads=False))
    batch = batch.select(names).slice(0, max(0, rows))
    most = min(MOST_CELL, MOST_BYTES // (4 * len(names)))
    shown = [_shown(known[name], values, most) for name, values in zip(names, batch.columns, strict=True)]
    left, kept = MOST_BYTES - len(json.dumps(names)), list[list[JsonValue]]()
    for row in zip(*shown, strict=True):
        left -= len(json.dumps(row))
        if left < 0 and kept:
            break
        kept.append(list(row))
    return Preview(columns=names, rows=kept)


def _fitting(names: list[str]) -> list[str]:
    """The first names, as far as they take a half of the bytes."""
    ends = accumulate(len(json.dumps(name)) for name in names[:MOST_COLUMNS])
    return names[: max(1, sum(end <= MOST_BYTES // 2 for end in ends))]


def _shown(column: Column, values: pa.Array, most: int) -> Iterator[JsonValue]:
    feature = feature_of(column)
    return (_cut(feature.preview(value.as_py(), column), most) for value in feature.read(values, column))


def _cut(cell: JsonValue, most: int) -> JsonValue:
    """A cell of at most `most` characters, and a mark where it was longer."""
    if isinstance(cell, str):
        return cell if len(cell) <= most else cell[:most] + CUT
    if isinstance(cell, list) and all(isinstance(each, str) for each in cell):
        left, kept = most, list[JsonValue]()
        for word in cell:
            left -= len(str(word)) + 1
            if left < 0:
                return [*kept, CUT]
            kept.append(word)
    return cell


def main() -> None:
    """Run in the child: print the preview as JSON."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("columns", type=Path, help="JSON: descriptions of the first columns")
    given = parser.parse_args()
    columns = [Column.model_validate(each) for each in json.loads(given.columns.read_text())]
    leave(_MEMORY)
    print(preview(given.path, columns, given.rows).model_dump_json())


if __name__ == "__main__":
    main()
