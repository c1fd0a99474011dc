"""Rows that are equal in what a job learns from, and have different classes: no network can tell them apart."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.contract import Column, Warned
from models.data.checks import overlap
from models.data.checks.classes import has_classes
from models.data.checks.sample import SHOWN, codes
from models.data.columns import field, shown
from models.data.formats.lines import ahead
from models.data.table import Rows
from models.parts.feature import of

_COMMON = 0.25
"""The share of rows that are equal to others from which values may be too few to tell rows apart."""
_LONGEST = 40
"""Characters of a class that a message names."""


def of_file(path: Path, inputs: Sequence[Column], target: Column, rows: int) -> list[Warned]:
    """A warning about the Parquet file of an upload, if its target has classes.

    Columns are read one after the other, those of the most values first, until no two rows are equal: of most files,
    one or two are read. Where one of the columns is an image, a job learns from it alone.
    """
    images = [column for column in inputs if column.shape and of(column).layout(column).is_image]
    compared = images if len(images) == 1 else list(inputs)
    if not has_classes(target) or not compared or rows > overlap.MOST_ROWS or not _are_few(compared, rows):
        return []
    if rows - overlap.possible_rows(compared) > _COMMON * rows:
        return []
    with pq.ParquetFile(path) as file:

        def read(column: Column) -> Iterator[pa.Array]:
            for at in range(file.num_row_groups):
                group = file.read_row_group(at, columns=[column.name], use_threads=False)
                yield of(column).read(group[column.name].combine_chunks(), column)

        values = pa.concat_arrays([*read(target)])
        ordered = sorted(compared, key=lambda column: (not of(column).side_by_side, -_values(column)))
        digests = (np.concatenate([overlap.digests([cells]) for cells in ahead(read(column))]) for column in ordered)
        found = np.zeros(rows, np.uint64)
        left = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
        for each in digests:
            found = overlap.mixed(found, each)
            left = left[_repeated(found[left])]
            if not len(left):
                return []
    return contradicting(found, left, values, target, compared)


def contradicting(
    found: overlap.Digests, rows: Rows, values: pa.Array, target: Column, inputs: Sequence[Column]
) -> list[Warned]:
    """A warning if some of `rows`, numbers from 0, have equal digests and different `values` of the target.

    Where many rows of few values are equal, there is no warning unless there are more than by chance. Rows that are
    equal follow each other in the warning.
    """
    rows = rows[values.take(pa.array(rows)).is_valid().to_numpy(zero_copy_only=False)]
    rows = rows[np.argsort(found[rows], kind="stable")]
    if len(rows) < 2:
        return []
    classes, _ = codes(values)
    starts = np.flatnonzero(np.concatenate([[True], found[rows][1:] != found[rows][:-1]]))
    low, high = (reduce.reduceat(classes[rows], starts) for reduce in (np.minimum, np.maximum))
    lengths = np.diff(np.concatenate([starts, [len(rows)]]))
    is_torn = low != high
    torn = rows[np.repeat(is_torn, lengths)]
    by_chance = overlap.CHANCE * len(rows) ** 2 / overlap.possible_rows(inputs)
    is_one_number = len(inputs) == 1 and not _has_words(inputs[0])
    if len(torn) <= (by_chance if is_one_number or lengths[lengths > 1].sum() > _COMMON * len(rows) else 0):
        return []
    firsts, lengths = np.minimum.reduceat(rows, starts)[is_torn], lengths[is_torn]
    torn = torn[np.lexsort((torn, np.repeat(firsts, lengths)))]
    differ = torn[: int(lengths[np.argmin(firsts)])]
    told = " and ".join(repr(str(name)[:_LONGEST]) for name in values.take(pa.array(differ)).unique().to_pylist()[:3])
    return [
        Warned(
            code="contradicting_labels",
            column=field(target.name),
            message=f"{len(torn):,} rows are equal to others in {_told(inputs)}, but not in the target "
            f"{shown(target.name)}, which is {told} in the first of them; no network can tell them apart",
            rows=[int(row) + 1 for row in torn[:SHOWN]],
            suggestion="correct the labels, or leave these rows out, and upload the file again",
        )
    ]


def _told(inputs: Sequence[Column]) -> str:
    what = f"column {shown(inputs[0].name)}" if len(inputs) == 1 else "all inputs"
    return f"{what}, apart from case and white space" if any(map(_has_words, inputs)) else what


def _has_words(column: Column) -> bool:
    return column.min is None and not column.shape


def _values(column: Column) -> float:
    return float("inf") if column.distinct is None else column.distinct


def _are_few(columns: Sequence[Column], rows: int) -> bool:
    """Whether all cells can be compared in little time."""
    size = sum(of(column).layout(column).width * rows if column.shape else column.characters or 0 for column in columns)
    return rows * len(columns) <= overlap.MOST_CELLS and size <= overlap.MOST_BYTES


def _repeated(digests: overlap.Digests) -> npt.NDArray[np.bool_]:
    """Whether each digest is that of another row, too."""
    _, places, counts = np.unique(digests, return_inverse=True, return_counts=True)
    return np.asarray(counts[places] > 1)
