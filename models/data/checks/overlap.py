"""Rows of the validation and test part that stand in the training part, too: what is learned by heart counts there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from athanor.contract import Column, Warned
from models.data.checks.sample import SHOWN
from models.data.counted import counted
from models.data.table import Rows
from models.parts.feature import of

MOST_ROWS = 2_000_000
MOST_CELLS = 40_000_000
MOST_BYTES = 1 << 30
"""Larger tables are not compared."""
CHANCE = 10
"""Real values are not equally frequent: this many times as many rows may be equal by chance as if they were."""

_DOUBT = 3
"""Equal rows that train may have by chance more than it has."""
_UNCOUNTED = 1000
"""Distinct values of a column with too many to count, at least."""
_ABSENT = np.uint64(0x9E3779B97F4A7C15)
_SPREAD = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(31)

Digests = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Tolerance:
    """The overlap that is not worth a warning: fewer rows, or a smaller share of the part."""

    rows: int
    share: float


GIVEN = Tolerance(1, 0.002)
"""Parts that someone made."""
DRAWN = Tolerance(3, 0.01)
"""Parts that were drawn at random: most data have a few equal rows."""


def digests(columns: Sequence[pa.Array]) -> Digests:
    """A digest of each row. Texts that differ in case, width or white space have the same."""
    found = np.zeros(len(columns[0]) if columns else 0, np.uint64)
    for values in columns:
        found = mixed(found, _cells(values))
    return found


def mixed(found: Digests, more: Digests) -> Digests:
    """The digests of rows that have more columns."""
    found = (found ^ more) * _SPREAD
    found ^= found >> _SHIFT
    return found


def plain_texts(values: pa.Array) -> pa.Array:
    """Texts without differences of case, width and white space."""
    texts = pc.utf8_trim_whitespace(pc.utf8_lower(pc.utf8_normalize(values, form="NFKC")))
    # Most texts have single spaces alone, and to look for others takes a tenth of the time of a replacement.
    is_spaced = pc.fill_null(pc.match_substring_regex(texts, r"\s\s|[\t\n\f\r]"), False)
    spaced = texts.filter(is_spaced)
    if not len(spaced):
        return texts
    return pc.replace_with_mask(texts, is_spaced, pc.replace_substring_regex(spaced, r"\s+", " "))


def _cells(values: pa.Array) -> Digests:
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        # 0.0 and -0.0 are equal, and their bits are not.
        reals = pc.fill_null(values.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False) + 0.0
        present = values.is_valid().to_numpy(zero_copy_only=False)
        return np.asarray(np.where(present, reals.view(np.uint64), _ABSENT), np.uint64)
    if not (pa.types.is_nested(values.type) or pa.types.is_fixed_size_binary(values.type)):
        encoded = pc.dictionary_encode(values, null_encoding="encode")
        known = encoded.dictionary
        known = plain_texts(known) if pa.types.is_string(known.type) else known
        places: npt.NDArray[np.int32] = encoded.indices.to_numpy(zero_copy_only=False)
        return _hashes(known)[places]
    return _hashes(values)


def _hashes(values: pa.Array) -> Digests:
    hashes = (hash(tuple(value) if isinstance(value, list) else value) for value in values.to_pylist())
    return np.fromiter(hashes, np.int64, len(values)).view(np.uint64)


def possible_rows(columns: Sequence[Column]) -> float:
    """The number of different rows that the values of these columns allow; inf if there are texts or images."""
    possible = 1.0
    for column in columns:
        if not of(column).side_by_side:
            return float("inf")
        possible *= max(1, _UNCOUNTED if column.distinct is None else column.distinct)
        if possible > 1e18:
            return float("inf")
    return possible


def overlaps(
    found: Digests, parts: Mapping[str, Rows], possible: float, what: str, tolerance: Tolerance, suggestion: str
) -> list[Warned]:
    """A warning for each part but train, some of whose rows have digests that rows of train have, too.

    `parts` has row numbers from 0. `possible` is the number of different rows that there may be, and `what` says how
    they were compared.
    """
    train, warned = np.unique(found[parts["train"]]), []
    # Rows of few values are equal by chance: within train, too, and more of them than there may be different ones.
    within = (len(parts["train"]) - len(train) + _DOUBT) / max(1, len(parts["train"]))
    by_chance = min(CHANCE * len(parts["train"]) / possible, CHANCE * within)
    for part, rows in parts.items():
        if part == "train" or not len(rows) or not len(train):
            continue
        again = rows[np.isin(found[rows], train)]
        if len(again) < max(tolerance.rows, tolerance.share * len(rows), by_chance * len(rows)):
            continue
        told = counted(len(again), "stands", "stand", of=f"the {len(rows):,} rows of {part}")
        warned.append(
            Warned(
                code="rows_in_two_parts",
                message=f"{told} in train too ({what}), which makes results on it look better than they are",
                rows=[int(row) for row in np.sort(again)[:SHOWN] + 1],
                suggestion=suggestion,
            )
        )
    return warned
