"""Rows of tables that name pictures, brought to one row for each picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from athanor.contract import Warned
from models.data.columns import shown
from models.data.counted import counted
from models.data.formats.archive import PARTS
from models.data.formats.class_folders import ORDER
from models.data.formats.picture_names import PictureNames, normal
from models.errors import DataError

CLASS = "label"
SHOWN = 10
_NAMED = 3
"""Examples in a message."""
_FLAGS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NamingTable:
    """A table of the upload. `rows` are the numbers of its rows in its file."""

    name: str
    cells: pa.Table
    rows: Places

    @property
    def part(self) -> str | None:
        """The part that the file is called after."""
        words = PurePosixPath(self.name).stem.lower().replace("-", "_").split("_")
        return next((PARTS[word] for word in words if word in PARTS), None)


@dataclass(frozen=True)
class LabelTable:
    """The other columns of the tables, with one row for each picture: null where no table names the picture."""

    files: list[str]
    names: list[str]
    columns: pa.Table
    found: npt.NDArray[np.bool_]
    """Whether a table names the picture."""
    parts: list[str | None]
    """The part of each picture: that of the tables, if there are tables of several parts, else that of its folder."""
    warnings: list[Warned] = field(default_factory=list)


def joined(
    tables: Sequence[NamingTable], naming: str, pictures: PictureNames, parts: Sequence[str | None]
) -> LabelTable:
    """One row for each picture, from tables with the same columns, whose column `naming` names the pictures.

    A cell on which the rows of a picture do not agree is missing. Raises DataError where no label is left then.
    """
    files = [table.name for table in tables]
    whole = pa.concat_tables([table.cells.select(tables[0].cells.column_names) for table in tables])
    names = whole[naming].to_pylist()
    at, warnings = _placed(tables, names, pictures, parts)
    others = _decoded(whole.drop_columns([naming]))
    columns, differing = {}, dict[str, npt.NDArray[np.bool_]]()
    for name in others.column_names:
        columns[name], differs = _agreed(others[name].combine_chunks(), at, len(parts))
        if differs.any():
            differing[name] = differs
    if differing:
        warnings.append(_contradictions(tables, others, columns, differing, at, names))
        # A box around each object differs in all pictures.
        columns = {name: cells for name, cells in columns.items() if name not in differing or _has_values(cells)}
    found = np.zeros(len(parts), bool)
    found[at[at >= 0]] = True
    divided, said = _parts(tables, at, parts, pictures)
    return LabelTable(files, [*columns], pa.table(columns), found, divided, warnings + said)


def _has_values(cells: pa.Array) -> bool:
    return bool(cells.null_count < len(cells))


def _source(tables: Sequence[NamingTable], row: int) -> tuple[str, int]:
    """The file of a row of all tables, and its number there."""
    for table in tables:
        if row < len(table.rows):
            return table.name, int(table.rows[row])
        row -= len(table.rows)
    raise AssertionError


def _placed(
    tables: Sequence[NamingTable], names: Sequence[str | None], pictures: PictureNames, parts: Sequence[str | None]
) -> tuple[Places, list[Warned]]:
    """The picture of each row, or -1; and warnings about rows that name none, or several."""
    fits = pictures.fits(name for name in names if name is not None)
    wanted = [table.part for table in tables for _ in range(len(table.rows))]
    at = np.full(len(names), -1, np.int64)
    missing, several = list[int](), list[int]()
    chosen: dict[tuple[str, str], Sequence[int]] = {}
    for row, name in enumerate(names):
        found = fits[name].pictures if name is not None else []
        if len(found) > 1:
            # Of several, the one in the part of the table, else in train.
            key = normal(name or ""), wanted[row] or "train"
            if key not in chosen:
                chosen[key] = [picture for picture in found if parts[picture] == key[1]]
            found = chosen[key]
            if len(found) != 1:
                several.append(row)
                continue
        if found:
            at[row] = found[0]
        else:
            missing.append(row)
    warned = []
    for rows, what, cure in (
        (
            missing,
            ("names no image of the zip", "name no image of the zip"),
            "correct the names, or add the images, if they should not be missing",
        ),
        (several, ("names several images", "name several images each"), "write the folders of the images, too"),
    ):
        if rows:
            told = ", ".join(f"{str(names[row])[:40]!r} in row {_source(tables, row)[1]:,}" for row in rows[:_NAMED])
            files = " and ".join(dict.fromkeys(_source(tables, row)[0] for row in rows))[:200]
            message = counted(len(rows), *what, of=f"{len(names):,} rows of {files}") + f" ({told}): left out"
            warned.append(Warned(code="unmatched_names", message=message, suggestion=cure))
    return at, warned


def _agreed(values: pa.Array, at: Places, count: int) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """The cell of each picture, and whether its rows differ, apart from white space. An empty cell says nothing."""
    said = np.flatnonzero((at >= 0) & values.is_valid().to_numpy(zero_copy_only=False))
    encoded = pc.dictionary_encode(pc.utf8_trim_whitespace(values.take(pa.array(said))))
    codes: npt.NDArray[np.int32] = encoded.indices.to_numpy(zero_copy_only=False)
    low, high, first = (np.full(count, start, np.int64) for start in (len(codes), -1, -1))
    np.minimum.at(low, at[said], codes)
    np.maximum.at(high, at[said], codes)
    first[at[said][::-1]] = said[::-1]
    differs = (high >= 0) & (low != high)
    return values.take(pa.array(first, mask=(first < 0) | differs)), differs


def _contradictions(
    tables: Sequence[NamingTable],
    cells: pa.Table,
    agreed: dict[str, pa.Array],
    differing: dict[str, npt.NDArray[np.bool_]],
    at: Places,
    names: Sequence[str | None],
) -> Warned:
    """What is said of pictures whose rows differ. Raises DataError if they leave no column of words."""
    pictures = np.flatnonzero(np.any(list(differing.values()), axis=0))
    most = max(differing, key=lambda name: (_is_words(cells[name]), differing[name].sum()))
    picture = int(np.flatnonzero(differing[most])[0])
    rows = [int(row) for row in np.flatnonzero(at == picture)]
    (file, first), (other, last) = (_source(tables, row) for row in (rows[0], rows[-1]))
    where = f"rows {first:,} and {last:,} of {file}" if file == other else f"{file} and {other}"
    said = " and ".join(
        repr(str(cell)[:40]) for cell in dict.fromkeys(cells[most].take(pa.array(rows)).to_pylist()) if cell is not None
    )
    example = f"{str(names[rows[0]])[:40]} is {said} in {where}"
    columns = ", ".join(shown(name) for name in list(differing)[:SHOWN])
    words = [name for name in cells.column_names if _is_words(cells[name])]
    if not any(_has_values(agreed[name]) for name in words or cells.column_names):
        raise DataError(
            f"All {len(pictures):,} images have rows with different values in {columns}: {example}. A dataset has one "
            "label for each image. Keep one row for each, or cut the objects out and upload them as images."
        )
    emptied = [name for name in differing if not _has_values(agreed[name])]
    message = (
        f"{counted(len(pictures), 'image has', 'images have')} rows with different values in {columns}: {example}; "
    )
    message += "these values are taken as missing"
    if emptied:
        message += ", which leaves none in " + ", ".join(shown(name) for name in emptied[:SHOWN])
    return Warned(
        code="contradicting_labels",
        message=message,
        rows=[int(picture) + 1 for picture in pictures[:SHOWN]],
        suggestion="keep one row for each image, and upload again; an image without a label is not learned from",
    )


def _is_words(values: pa.ChunkedArray) -> bool:
    """Whether cells are other than numbers."""
    return any(not _is_number(value) for value in pc.unique(values.slice(0, 1000)).to_pylist() if value is not None)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _parts(
    tables: Sequence[NamingTable], at: Places, folders: Sequence[str | None], pictures: PictureNames
) -> tuple[list[str | None], list[Warned]]:
    """The part of each picture. One that is named by tables of several parts stays in the first of these."""
    parts = list(folders)
    if len({table.part for table in tables if table.part}) < 2:
        return parts, []
    of_tables: dict[int, list[str]] = {}
    start = 0
    for table in tables:
        for picture in np.unique(at[start : start + len(table.rows)]):
            if picture >= 0 and table.part:
                of_tables.setdefault(int(picture), []).append(table.part)
        start += len(table.rows)
    for picture, named in of_tables.items():
        parts[picture] = min(named, key=lambda part: ORDER[part])
    torn = sorted(picture for picture, named in of_tables.items() if len(set(named)) > 1)
    if not torn:
        return parts, []
    first = torn[0]
    told = counted(len(torn), "image is", "images are")
    message = f"{told} named by tables of several parts ({pictures.paths[first]} by those of "
    message += " and ".join(sorted(set(of_tables[first]), key=lambda part: ORDER[part]))
    message += "), and only the first of these counts"
    cure = "name each image in one of the tables, and upload again"
    at_rows = [picture + 1 for picture in torn[:SHOWN]]
    return parts, [Warned(code="rows_in_two_parts", message=message, rows=at_rows, suggestion=cure)]


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
