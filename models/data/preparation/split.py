"""Training, validation and test rows: disjoint, and the same for the same seed.

Of a cross-validation they are those of one fold, numbered from 0: its rows are the test part.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from athanor.contract import Folds, Given, Holdout, Split
from models.data.preparation.roles import Roles
from models.data.preparation.shares import Rows as Rows
from models.data.preparation.shares import share
from models.data.preparation.stream import parts, windows_of
from models.data.table import Table, part_of
from models.errors import DataError


@dataclass(frozen=True)
class Division:
    """Row numbers of each part, from 0, ascending."""

    train: Rows
    val: Rows
    test: Rows


@dataclass(frozen=True)
class Sizes:
    train: int
    val: int
    test: int


def rounds(split: Split) -> int:
    """Trainings of a job, one after the other."""
    return split.n if isinstance(split, Folds) else 1


def sizes(split: Split, rows: int, roles: Roles, counts: dict[str, int], fold: int = 0) -> Sizes:
    """How many rows each part will have, without reading them. `counts` are the rows of each value of the column.

    Of a stream, how many windows: where a column says whose its rows are, they are taken to be equally long.
    """
    known, language = rows - roles.target.missing, roles.language
    if isinstance(split, Folds):
        test = len(range(fold, known, split.n))
        val = share(split.val, known - test)
        return Sizes(known - test - val, val, test)
    by_part = {"train": 0, "val": 0, "test": 0}
    gaps = (roles.target.missing_by_part or {}).get(roles.part or "", {})
    for value, count in counts.items():
        by_part[part_of(value) or "train"] += count - gaps.get(value, 0)
    if language is not None and language.documents == "stream":
        tokens = roles.tokens(rows)
        if isinstance(split, Given):
            train, val, test = (round(tokens * part / max(1, known)) for part in by_part.values())
            if not val:
                train, val, _ = parts(train, split.val, 0)
        else:
            train, val, test = parts(tokens, split.val, split.test)
        val, test = (-(-max(0, part - 1) // language.context) for part in (val, test))
        return Sizes(windows_of(train, language.context) if train > 1 else 0, val, test)
    if not isinstance(split, Given):
        test = share(split.test, known)
        val = min(share(split.val, known), known - test)
        return Sizes(known - val - test, val, test)
    val = by_part["val"] or share(split.val, by_part["train"])
    return Sizes(by_part["train"] - (0 if by_part["val"] else val), val, by_part["test"])


def divide(split: Split, table: Table, roles: Roles, fold: int = 0) -> Division:
    """Assign every row whose target is known. Raises DataError when nothing is left to train on."""
    targets = table.strings(roles.target.name)
    known = np.flatnonzero([value is not None for value in targets])
    stratify = roles.asks.stratifies and (isinstance(split, Given) or split.stratify)
    strata = np.array([value or "" if stratify else "" for value in targets])
    match split:
        case Holdout():
            rng = np.random.default_rng(split.seed)
            test, rest = _draw(known, strata, share(split.test, len(known)), rng)
            val, train = _draw(rest, strata, min(share(split.val, len(known)), len(rest)), rng)
        case Folds():
            test = _dealt(known, strata, np.random.default_rng(split.seed))[fold :: split.n]
            rest = np.setdiff1d(known, test)
            val, train = _draw(rest, strata, share(split.val, len(rest)), np.random.default_rng([split.seed, fold]))
        case Given():
            assert roles.part is not None
            said = np.array([part_of(value or "") or "" for value in table.strings(roles.part)])
            train, val, test = (known[said[known] == part] for part in ("train", "val", "test"))
            if not len(val):
                val, train = _draw(train, strata, share(split.val, len(train)), np.random.default_rng(split.seed))
    if not len(train):
        raise DataError(f"no rows are left to train on: {len(known)} of {table.rows} rows have a target")
    return Division(np.sort(train), np.sort(val), np.sort(test))


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Batches of one pass. A last batch of a single row is left out: batch normalization cannot learn from it."""
    return max(1, math.ceil(rows / batch_size) - (1 if rows % batch_size == 1 and batch_size > 1 else 0))


def _dealt(rows: Rows, strata: npt.NDArray[np.generic], rng: np.random.Generator) -> Rows:
    """Rows in an order in which dealing them out one by one gives every hand its share of each stratum."""
    shuffled = rng.permutation(rows)
    return shuffled[np.argsort(strata[shuffled], kind="stable")]


def _draw(rows: Rows, strata: npt.NDArray[np.generic], wanted: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Draw `wanted` rows, from each stratum in proportion (largest remainders). Returns (drawn, left)."""
    values, stratum = np.unique(strata[rows], return_inverse=True)
    exact = np.bincount(stratum, minlength=len(values)) * (wanted / max(1, len(rows)))
    take = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - take), kind="stable")
    take[order[: wanted - int(take.sum())]] += 1
    drawn = [rng.permutation(rows[stratum == at])[:count] for at, count in enumerate(take)]
    chosen = np.concatenate(drawn) if drawn else rows[:0]
    return chosen, np.setdiff1d(rows, chosen)
