"""Training, validation and test rows of a table: disjoint, and the same for the same split."""

import math
from collections.abc import Mapping

import numpy as np

from models.data.counted import counted
from models.data.preparation.roles import Roles
from models.data.preparation.stream import windows_of
from models.data.table import Rows as Rows
from models.data.table import Table
from models.errors import DataError
from models.parts.split import Division, Sizes, Split


def sizes(split: Split, rows: int, roles: Roles, counts: Mapping[str, int], fold: int = 0) -> Sizes:
    """The number of rows in each part, without reading them; of a running text, the number of windows.

    `counts` is the number of rows with each value of the split column.
    """
    gaps = (roles.target.missing_by_part or {}).get(roles.part or "", {})
    known = rows - roles.target.missing
    counts = {value: count - gaps.get(value, 0) for value, count in counts.items()}
    language = roles.language
    if language is None or language.documents != "stream":
        return split.sizes(known, counts, fold)
    tokens = split.text_sizes(roles.tokens(rows), known, counts)
    val, test = (-(-max(0, part - 1) // language.context) for part in (tokens.val, tokens.test))
    return Sizes(windows_of(tokens.train, language.context) if tokens.train > 1 else 0, val, test)


def divide(split: Split, table: Table, roles: Roles, fold: int = 0) -> Division:
    """Divide the rows that have a target. The row numbers of each part ascend.

    Raises DataError if no rows are left to train on.
    """
    targets = table.strings(roles.target.name)
    known = np.flatnonzero([value is not None for value in targets])
    strata = np.array([value or "" if roles.asks.stratifies else "" for value in targets])
    values = None if roles.part is None else table.strings(roles.part)
    division = split.divide(known, strata, values, fold)
    if not len(division.train):
        raise DataError(
            "no rows are left to train on: "
            + counted(len(known), "has", "have", of=f"{table.rows:,} rows")
            + " a target"
        )
    return Division(np.sort(division.train), np.sort(division.val), np.sort(division.test))


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Batches of one pass. A last batch of a single row is left out: batch normalization cannot learn from it."""
    return max(1, math.ceil(rows / batch_size) - (1 if rows % batch_size == 1 and batch_size > 1 else 0))
