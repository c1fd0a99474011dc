"""Splits: which rows are learned from, which choose on the way, and which test. NumPy alone."""

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

    A job has `trainings` of them, one after the other, numbered from 0 as `fold`. The same spec on the same data always
    gives the same rows.
    """

    divides_text: ClassVar[bool] = False
    """Whether one running text can be divided too. It has no rows: `text_sizes` and `divide_text` say how."""

    @property
    def trainings(self) -> int:
        """Trainings of a job, one after the other."""
        return 1

    def reads(self, schema: Schema) -> str | None:
        """The column whose values divide the rows. It is no input."""
        return None

    def check(self, schema: Schema, *, running_text: bool) -> None:
        """Raises SpecError, with a pointer into the spec, where such a dataset cannot be divided in this way."""
        if running_text and not self.divides_text:
            fitting = [part.model_fields["kind"].default for part in SPLITS if part.divides_text]
            raise SpecError(
                "/dataset/split/kind",
                f"one running text has no rows; split.kind = {self.kind} divides rows",
                code="wrong_split",
                suggestion=f"use split.kind = {' or '.join(fitting)}, or documents = lines",
            )

    def check_sizes(self, rows: int, sizes: Sequence[Sizes]) -> None:
        """Raises SpecError where so few rows cannot be divided. `sizes` are those of each training."""
        return None

    @abstractmethod
    def sizes(self, rows: int, counts: Mapping[str, int], fold: int = 0) -> Sizes:
        """Rows of each part without reading them.

        Both `rows` and `counts`, the rows of each value of the column that it reads, are of rows with a target.
        """

    @abstractmethod
    def divide(self, rows: Rows, strata: Labels, values: Sequence[str | None] | None, fold: int = 0) -> Division:
        """Divide row numbers, given in ascending order.

        `strata` has a label for every row of the table: parts can have the same share of each. `values` are those of
        the column that it reads, for every row of the table.
        """

    def text_sizes(self, tokens: int, rows: int, counts: Mapping[str, int]) -> Sizes:
        """Tokens of each part of a running text of so many rows, joined by line breaks."""
        raise AssertionError(f"{self.kind} divides rows")

    def divide_text(
        self, texts: Sequence[str], values: Sequence[str | None] | None, tokenize: Tokenize
    ) -> tuple[list[str], list[str], list[str]]:
        """Tokens of train, val and test of one running text: `texts` are its rows, to be joined by line breaks."""
        raise AssertionError(f"{self.kind} divides rows")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        SPLITS.add(cls)


def default_split(schema: Schema) -> Split:
    """The split of a job that names none: what the files said themselves, else a holdout."""
    return SPLITS["holdout" if schema.part is None else "given"].model_validate({})


def share(share: float, rows: int) -> int:
    """Rows, or tokens, that make up a share: at least one where any was asked for and there are three to divide."""
    return max(round(share * rows), 1 if share > 0 and rows >= 3 else 0)


def shares(tokens: int, val: float, test: float) -> Sizes:
    """Tokens of train, val and test, one after the other in a text."""
    last = share(test, tokens)
    middle = min(share(val, tokens), tokens - last)
    return Sizes(tokens - middle - last, middle, last)


def draw(rows: Rows, strata: Labels, wanted: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Draw `wanted` rows, from each stratum in proportion (largest remainders). Returns (drawn, left)."""
    values, stratum = np.unique(strata[rows], return_inverse=True)
    exact = np.bincount(stratum, minlength=len(values)) * (wanted / max(1, len(rows)))
    take = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - take), kind="stable")
    take[order[: wanted - int(take.sum())]] += 1
    drawn = [rng.permutation(rows[stratum == at])[:count] for at, count in enumerate(take)]
    chosen = np.concatenate(drawn) if drawn else rows[:0]
    return chosen, np.setdiff1d(rows, chosen)


SPLITS: Registry[Split] = Registry("splits")
