"""Cross-validation."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from models.data.table import Rows
from models.errors import SpecError
from models.parts.split import Division, Labels, Sizes, Split, draw, share


class Folds(Split):
    """Cross-validation: as many trainings as folds, each tested on a fold that it did not see.

    `val` is carved out of the other folds for what is chosen on the way: the best epoch, an early stop. So no choice
    ever sees the rows of a result.
    """

    kind: Literal["folds"] = "folds"
    n: int = Field(5, ge=2, le=100, description="folds, and trainings; the job takes so many times as long")
    val: float = Field(0.1, ge=0, lt=1, description="share of the other folds kept for validation")
    stratify: bool = Field(True, description="keep the shares of the classes equal in every fold")
    seed: int = Field(0, ge=0, lt=2**32, description="of the deal of rows into folds, and the draw of val")

    @property
    def trainings(self) -> int:
        return self.n

    def check_sizes(self, rows: int, sizes: Sequence[Sizes]) -> None:
        if not sizes[-1].test:
            raise SpecError("/dataset/split/n", f"{rows} rows do not make {self.n} folds", code="too_few_rows")

    def sizes(self, rows: int, counts: Mapping[str, int], fold: int = 0) -> Sizes:
        test = len(range(fold, rows, self.n))
        val = share(self.val, rows - test)
        return Sizes(rows - test - val, val, test)

    def divide(self, rows: Rows, strata: Labels, values: Sequence[str | None] | None, fold: int = 0) -> Division:
        strata = strata if self.stratify else np.zeros_like(strata)
        test = _dealt(rows, strata, np.random.default_rng(self.seed))[fold :: self.n]
        rest = np.setdiff1d(rows, test)
        val, train = draw(rest, strata, share(self.val, len(rest)), np.random.default_rng([self.seed, fold]))
        return Division(train, val, test)


def _dealt(rows: Rows, strata: Labels, rng: np.random.Generator) -> Rows:
    """Rows in an order in which dealing them out one by one gives every hand its share of each stratum."""
    shuffled = rng.permutation(rows)
    return shuffled[np.argsort(strata[shuffled], kind="stable")]
