"""Splits: which rows are for training, validation and test. Uses NumPy only."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from athanor.contract import Schema
from models.data.table import Rows
from models.errors import SpecError
from models.registry import Buildable, Registry

Labels = npt.NDArray[np.generic]
Tokenize = Callable[[str], list[str]]


@dataclass(frozen=True)
class Division:
    """Row numbers of each part, from 0."""

    train: Rows
    val: Rows
    test: Rows


@dataclass(frozen=True)
class Sizes:
    """Rows of each part, or tokens of one running text."""

    train: int
    val: int
    test: int


class Split(Buildable, ABC):
    """How the rows of a dataset are divided into a training, a validation and a test part.

    A split defines `trainings` divisions, numbered from 0 as `fold`; a job trains them one after the other. The same
    spec on the same data always gives the same rows.
    """

    divides_text: ClassVar[bool] = False
    """Whether it can also divide one running text, with `text_sizes` and `divide_text`."""

    @property
    def trainings(self) -> int:
        """The number of trainings of a job."""
        return 1

    def reads(self, schema: Schema) -> str | None:
        """The column whose values divide the rows, if any. It cannot be an input."""
        return None

    def check(self, schema: Schema, *, running_text: bool) -> None:
        """Raises SpecError, with a pointer into the spec, if this split cannot divide such a dataset."""
        if running_text and not self.divides_text:
            fitting = [part.model_fields["kind"].default for part in SPLITS if part.divides_text]
            raise SpecError(
                "/dataset/split/kind",
                f"one running text has no rows; split.kind = {self.kind} divides rows",
                code="wrong_split",
                suggestion=f"use split.kind = {' or '.join(fitting)}, or documents = lines",
            )

    def check_sizes(self, rows: int, sizes: Sequence[Sizes]) -> None:
        """Raises SpecError if there are too few rows to divide. `sizes` has one entry per training."""
        return None

    @abstractmethod
    def sizes(self, rows: int, counts: Mapping[str, int], fold: int = 0) -> Sizes:
        """The number of rows of each part, computed without reading the rows.

        `rows` is the number of rows with a target. `counts` has the same number for each value of the split column.
        """

    @abstractmethod
    def divide(self, rows: Rows, strata: Labels, values: Sequence[str | None] | None, fold: int = 0) -> Division:
        """Divide row numbers, which are in ascending order.

        `strata` has a label for every row of the table; a stratified split gives each part the same share of each
        label. `values` has the value of the split column for every row of the table.
        """

    def text_sizes(self, tokens: int, rows: int, counts: Mapping[str, int]) -> Sizes:
        """The number of tokens of each part of a running text of `rows` rows, joined by line breaks."""
        raise AssertionError(f"{self.kind} divides rows")

    def divide_text(
        self, texts: Sequence[str], values: Sequence[str | None] | None, tokenize: Tokenize
    ) -> tuple[list[str], list[str], list[str]]:
        """Tokens of train, val and test of one running text. Line breaks join its rows, `texts`."""
        raise AssertionError(f"{self.kind} divides rows")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        SPLITS.add(cls)


def default_split(schema: Schema) -> Split:
    """The split of a job that names none: the one in the dataset's files, else a holdout."""
    return SPLITS["holdout" if schema.part is None else "given"].model_validate({})


def share(share: float, rows: int) -> int:
    """The number of rows or tokens in a share. A share above 0 of three or more rows is at least one row."""
    return max(round(share * rows), 1 if share > 0 and rows >= 3 else 0)


def shares(tokens: int, val: float, test: float) -> Sizes:
    """The number of tokens of train, val and test, which follow each other in a text."""
    last = share(test, tokens)
    middle = min(share(val, tokens), tokens - last)
    return Sizes(tokens - middle - last, middle, last)


def small(rows: Rows, strata: Labels, parts: int) -> Rows:
    """The rows of strata with fewer than `parts` rows."""
    _, stratum, counts = np.unique(strata[rows], return_inverse=True, return_counts=True)
    return rows[counts[stratum] < parts]


def draw(
    rows: Rows, strata: Labels, wanted: int, rng: np.random.Generator, *, keep: int = 1, kept: Rows | None = None
) -> tuple[Rows, Rows]:
    """Draw `wanted` rows, from each stratum in proportion (largest remainders). Returns (drawn, left).

    `keep` rows of each stratum and all rows in `kept` are left, as long as there are enough others.
    """
    values, stratum = np.unique(strata[rows], return_inverse=True)
    counts = np.bincount(stratum, minlength=len(values))
    fixed = np.bincount(stratum[np.isin(rows, rows[:0] if kept is None else kept)], minlength=len(values))
    spare = np.maximum(counts - np.maximum(fixed, keep), 0)
    take = np.minimum(_apportioned(np.where(spare > 0, counts, 0), wanted), spare)
    for room in (spare, counts):
        take += _apportioned(room - take, min(wanted - int(take.sum()), int((room - take).sum())))
    drawn = [rng.permutation(rows[stratum == at])[:count] for at, count in enumerate(take)]
    chosen = np.concatenate(drawn) if drawn else rows[:0]
    return chosen, np.setdiff1d(rows, chosen)


def _apportioned(counts: Rows, wanted: int) -> Rows:
    """`wanted` rows divided in proportion to `counts`, by largest remainders."""
    exact = counts * (wanted / max(1, int(counts.sum())))
    take = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - take), kind="stable")
    take[order[: wanted - int(take.sum())]] += 1 if counts.any() else 0
    return np.asarray(take)


SPLITS: Registry[Split] = Registry("splits")
