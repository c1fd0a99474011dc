"""A split that the data define."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from athanor.contract import Name, Schema
from models.data.columns import find_column
from models.data.table import Rows, part_of
from models.errors import SpecError
from models.parts.split import Division, Labels, Sizes, Split, Tokenize, draw, share, shares


class Given(Split):
    """A column whose values are train, val and test gives the parts, or files of those names in a zip.

    The rows of each part of a running text are joined; without any for validation, that is the end of the training
    text.
    """

    divides_text: ClassVar[bool] = True

    kind: Literal["given"] = "given"
    column: Name | None = Field(None, description="the column with train, val, test; default: the names of the files")
    val: float = Field(
        0.1, gt=0, lt=1, description="share of train that becomes val, stratified, where no val is given"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the random draw of val, where none is given")

    def reads(self, schema: Schema) -> str | None:
        return self.column or schema.part

    def check(self, schema: Schema, *, running_text: bool) -> None:
        name = self.reads(schema)
        if name is None:
            raise SpecError(
                "/dataset/split/column",
                "the dataset has no column with train, val and test, and no files of these names",
                code="missing_column",
                suggestion="name the column in split.column, or use split.kind = holdout",
            )
        column = find_column(schema, name, "/dataset/split/column")
        wrong = [value for value in column.classes or [] if part_of(value) is None]
        if column.classes is None or wrong:
            seen = f"'{wrong[0]}'" if wrong else "too many different values"
            raise SpecError(
                "/dataset/split/column",
                f"'{name}' holds {seen}; its values must be train, val and test",
                code="wrong_part",
            )
        if not any(part_of(value) == "train" for value in column.classes):
            raise SpecError("/dataset/split/column", f"no row of '{name}' says train", code="wrong_part")

    def sizes(self, rows: int, counts: Mapping[str, int], fold: int = 0) -> Sizes:
        said = _by_part(counts)
        val = said.val or share(self.val, said.train)
        return Sizes(said.train - (0 if said.val else val), val, said.test)

    def divide(self, rows: Rows, strata: Labels, values: Sequence[str | None] | None, fold: int = 0) -> Division:
        assert values is not None
        said = np.array([part_of(value or "") or "" for value in values])
        train, val, test = (rows[said[rows] == part] for part in ("train", "val", "test"))
        if not len(val):
            val, train = draw(train, strata, share(self.val, len(train)), np.random.default_rng(self.seed))
        return Division(train, val, test)

    def text_sizes(self, tokens: int, rows: int, counts: Mapping[str, int]) -> Sizes:
        """An estimate that assumes rows of equal length."""
        said = _by_part(counts)
        train, val, test = (round(tokens * part / max(1, rows)) for part in (said.train, said.val, said.test))
        if not val:
            carved = shares(train, self.val, 0)
            train, val = carved.train, carved.val
        return Sizes(train, val, test)

    def divide_text(
        self, texts: Sequence[str], values: Sequence[str | None] | None, tokenize: Tokenize
    ) -> tuple[list[str], list[str], list[str]]:
        assert values is not None
        said = [part_of(value or "") for value in values]
        train, val, test = (
            tokenize("\n".join(text for text, part in zip(texts, said, strict=True) if part == wanted))
            for wanted in ("train", "val", "test")
        )
        if "val" not in said:
            kept = shares(len(train), self.val, 0).train
            train, val = train[:kept], train[kept:]
        return train, val, test


def _by_part(counts: Mapping[str, int]) -> Sizes:
    """The rows of each part, summed over all spellings of its name."""
    said = {"train": 0, "val": 0, "test": 0}
    for value, count in counts.items():
        said[part_of(value) or "train"] += count
    return Sizes(**said)
