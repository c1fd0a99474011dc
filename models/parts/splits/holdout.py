"""Holdout."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from models.data.table import Rows
from models.parts.split import Division, Labels, Sizes, Split, Tokenize, draw, share, shares, small


class Holdout(Split):
    """Random shares of the rows, drawn once with `seed`, are kept for validation and for the test.

    A class with fewer rows than parts stays in the training part, where the other classes have enough rows.

    A running text is not shuffled: its last `test` share is the test part, and the `val` share before it is the
    validation part.
    """

    divides_text: ClassVar[bool] = True

    kind: Literal["holdout"] = "holdout"
    val: float = Field(0.1, ge=0, lt=1, description="share of rows for validation")
    test: float = Field(0.1, ge=0, lt=1, description="share of rows for the final test")
    stratify: bool = Field(True, description="keep the shares of the classes equal in every part")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the random draw of rows")

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> "Holdout":
        if self.val + self.test >= 1:
            raise ValueError(f"val + test = {self.val + self.test:g} leaves no rows for training; keep it below 1")
        return self

    def sizes(self, rows: int, counts: Mapping[str, int], fold: int = 0) -> Sizes:
        return shares(rows, self.val, self.test)

    def divide(self, rows: Rows, strata: Labels, values: Sequence[str | None] | None, fold: int = 0) -> Division:
        strata = strata if self.stratify else np.zeros_like(strata)
        rng = np.random.default_rng(self.seed)
        wanted, last = share(self.val, len(rows)), share(self.test, len(rows))
        kept = small(rows, strata, 1 + bool(wanted) + bool(last))
        test, rest = draw(rows, strata, last, rng, keep=2 if wanted else 1, kept=kept)
        val, train = draw(rest, strata, min(wanted, len(rest)), rng, kept=kept)
        return Division(train, val, test)

    def text_sizes(self, tokens: int, rows: int, counts: Mapping[str, int]) -> Sizes:
        return shares(tokens, self.val, self.test)

    def divide_text(
        self, texts: Sequence[str], values: Sequence[str | None] | None, tokenize: Tokenize
    ) -> tuple[list[str], list[str], list[str]]:
        tokens = tokenize("\n".join(texts))
        sizes = shares(len(tokens), self.val, self.test)
        end = sizes.train + sizes.val
        return tokens[: sizes.train], tokens[sizes.train : end], tokens[end:]
