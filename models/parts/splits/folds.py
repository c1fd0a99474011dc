"""Cross-validation."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from models.data.table import Rows
from models.errors import SpecError
from models.parts.split import Division, Labels, Sizes, Split, draw, share, small


class Folds(Split):
    """Cross-validation: one training for each fold, tested on that fold and trained on the others.

    `val` is a share of the other folds. The best epoch and an early stop are chosen on it, so no choice uses the rows
    that give a result. The row of a class that has no other is in the training part of every fold.
    """

    kind: Literal["folds"] = "folds"
    n: int = Field(5, ge=2, le=100, description="number of folds, and so of trainings")
    val: float = Field(0.1, ge=0, lt=1, description="share of the other folds kept for validation")
    stratify: bool = Field(True, description="keep the shares of the classes equal in every fold")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the random division into folds and of the draw of val")

    @property
    def trainings(self) -> int:
        return self.n

    def check_sizes(self, rows: int, sizes: Sequence[Sizes]) -> None:
        if not sizes[-1].test:
            raise SpecError("/dataset/split/n", f"{rows} rows are too few for {self.n} folds", code="too_few_rows")

    def sizes(self, rows: int, counts: Mapping[str, int], fold: int = 0) -> Sizes:
        test = len(range(fold, rows, self.n))
        val = share(self.val, rows - test)
        return Sizes(rows - test - val, val, test)

    def divide(self, rows: Rows, strata: Labels, values: Sequence[str | None] | None, fold: int = 0) -> Division:
        strata = strata if self.stratify else np.zeros_like(strata)
        test = _dealt(_repeated(rows, strata, self.n), strata, np.random.default_rng(self.seed))[fold :: self.n]
        rest = np.setdiff1d(rows, test)
        val, train = draw(rest, strata, share(self.val, len(rest)), np.random.default_rng([self.seed, fold]))
        return Division(train, val, test)


def _repeated(rows: Rows, strata: Labels, folds: int) -> Rows:
    """The rows of strata with more than one row; all rows if these are fewer than the folds."""
    several = np.setdiff1d(rows, small(rows, strata, 2))
    return several if len(several) >= folds else rows


def _dealt(rows: Rows, strata: Labels, rng: np.random.Generator) -> Rows:
    """Rows in an order such that assigning them to folds in turn gives every fold its share of each stratum."""
    shuffled = rng.permutation(rows)
    return shuffled[np.argsort(strata[shuffled], kind="stable")]
