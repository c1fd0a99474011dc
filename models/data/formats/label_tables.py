"""A table beside pictures that names them, such as Kaggle's train.csv or labels.csv."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.data.formats import delimited
from models.data.formats.archive import PARTS, Archive
from models.data.formats.limits import Limits
from models.data.table import Source
from models.errors import DataError

READERS: dict[str, Callable[[Path, Limits], Source]] = {".csv": delimited.read, ".tsv": delimited.read_tsv}
CLASS = "label"
_MOST_TABLES = 20
_LOOKED_AT = 1000
"""Rows of a table that are compared to find the column with the names of pictures."""
_NO_LABELS = "submission"
"""Kaggle's example of an answer has this in its name; its labels are made up."""
_FLAGS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}


@dataclass(frozen=True)
class LabelTable:
    """The other columns of the tables, with one row for each picture: null where no table names the picture."""

    names: list[str]
    columns: pa.Table
    found: npt.NDArray[np.bool_]
    """Whether a table names the picture."""


def find(archive: Archive, pictures: Sequence[ZipInfo], parts: Sequence[str | None]) -> LabelTable | None:
    """The tables of the zip that name pictures in a column, with or without folder and suffix, and say more of them.

    `parts` are the parts in the pictures' folders. Raises DataError for a table that cannot be read.
    """
    files = [info for info in archive.members if _suffix(info.filename) in READERS]
    files = [info for info in files if _NO_LABELS not in info.filename.lower()][:_MOST_TABLES]
    if not files:
        return None
    keys = _keys(pictures)
    tables: list[tuple[str, pa.Table, str]] = []
    for info in files:
        try:
            table = _read(archive, info)
        except DataError as error:
            raise type(error)(f"{info.filename}: {error}") from error
        column = _naming(table, keys)
        if column is not None and table.num_columns > 1:
            tables.append((info.filename, table, column))
    if not tables:
        return None
    # Tables of parts have the same columns. Of others, the first that names most pictures counts.
    tables.sort(key=lambda each: -each[1].num_rows)
    heads = [each for each in tables if each[1].column_names == tables[0][1].column_names]
    return _joined(heads, keys, parts)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _keys(pictures: Sequence[ZipInfo]) -> dict[str, list[int]]:
    """The pictures by each form of their names that a table may use."""
    keys: dict[str, list[int]] = {}
    for row, info in enumerate(pictures):
        path = PurePosixPath(info.filename)
        bare = path.with_suffix("")
        for name in {path.name, bare.name, str(path), str(bare), *("/".join(each.parts[-2:]) for each in (path, bare))}:
            keys.setdefault(name, []).append(row)
    return keys


def _read(archive: Archive, info: ZipInfo) -> pa.Table:
    with tempfile.TemporaryDirectory(prefix="unpacked-") as folder:
        path = Path(folder) / f"table{_suffix(info.filename)}"
        with archive.open(info) as stream, path.open("wb") as target:
            shutil.copyfileobj(stream, target)
        limits: Limits = archive.limits
        batches = list(READERS[path.suffix](path, limits).batches)
    return pa.Table.from_batches(batches) if batches else pa.table({})


def _naming(table: pa.Table, keys: Mapping[str, list[int]]) -> str | None:
    """The column whose first cells mostly name pictures."""
    for name in table.column_names:
        cells = [cell for cell in table[name].slice(0, _LOOKED_AT).to_pylist() if cell is not None]
        if cells and 2 * sum(_normal(cell) in keys for cell in cells) > len(cells):
            return str(name)
    return None


def _normal(cell: str) -> str:
    return cell.strip().replace("\\", "/").removeprefix("./")


def _joined(
    tables: list[tuple[str, pa.Table, str]], keys: Mapping[str, list[int]], parts: Sequence[str | None]
) -> LabelTable:
    whole = pa.concat_tables([table for _, table, _ in tables])
    naming = tables[0][2]
    at = np.full(len(parts), -1, np.int64)
    start = 0
    for name, table, _ in tables:
        wanted = _part(name)
        for row, cell in enumerate(table[naming].to_pylist(), start):
            picture = _one(keys.get(_normal(cell), []), parts, wanted) if cell is not None else None
            if picture is not None and at[picture] < 0:
                at[picture] = row
        start += table.num_rows
    rows = pa.array(at, mask=at < 0)
    others = _decoded(whole.drop_columns([naming])).take(rows)
    return LabelTable(others.column_names, others.combine_chunks(), at >= 0)


def _part(name: str) -> str | None:
    words = PurePosixPath(name).stem.lower().replace("-", "_").split("_")
    return next((PARTS[word] for word in words if word in PARTS), None)


def _one(found: Sequence[int], parts: Sequence[str | None], wanted: str | None) -> int | None:
    """The picture that a name means: of several, the one in the part of the table, else in train."""
    if len(found) == 1:
        return found[0]
    fitting = [row for row in found if parts[row] == (wanted or "train")]
    return fitting[0] if len(fitting) == 1 else None


def _decoded(table: pa.Table) -> pa.Table:
    """Columns of 0 and 1, of which each row has a single 1, become one column with the names of those columns."""
    if table.num_columns < 3:
        return table
    total = np.zeros(table.num_rows, np.int64)
    label = np.zeros(table.num_rows, np.int64)
    for place, column in enumerate(table.columns):
        distinct = pc.unique(column).to_pylist()
        if any(_FLAGS.get(value) is None for value in distinct):
            return table
        is_one = pc.is_in(column, pa.array([value for value in distinct if _FLAGS[value]], pa.string()))
        flags = np.asarray(is_one.to_numpy(zero_copy_only=False), bool)
        total += flags
        label[flags] = place
    if not (total == 1).all():
        return table
    return pa.table({CLASS: pa.array(table.column_names).take(pa.array(label))})
