"""Oddities: what is unusual in the cells of a prediction, and does not prevent it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from athanor.contract import Warned

MISSING = "missing_values"
"""The code of the oddity of missing values."""
SHOWN = 10
"""Rows that a warning names."""
EXAMPLES = 3
LONGEST = 40
"""Characters of an example."""


@dataclass(frozen=True)
class Oddity:
    """`count` of `of` units, rows or words of a column, are odd. `rows` has the first few, counted from 0."""

    code: str
    what: str
    """The end of the sentence about them, which begins like `3 of 10 rows`."""
    suggestion: str
    count: int
    of: int
    rows: tuple[int, ...]
    unit: str = "rows"
    examples: tuple[str, ...] = ()
    """Distinct values."""
    least: float = 0.0
    """The share of all units from which it is worth a warning."""

    @classmethod
    def of_rows(
        cls, code: str, what: str, suggestion: str, rows: Sequence[int], of: int, values: Sequence[str] = ()
    ) -> Self:
        """The oddity of these rows, of `of` rows in all."""
        return cls(code, what, suggestion, len(rows), of, tuple(rows[:SHOWN]), examples=distinct(values))

    def moved(self, start: int) -> Self:
        """The same in a table that has `start` rows before these."""
        return replace(self, rows=tuple(start + row for row in self.rows))

    def followed_by(self, later: Self) -> Self:
        """This and the same oddity of the rows that follow."""
        return replace(
            self,
            count=self.count + later.count,
            of=self.of + later.of,
            rows=(*self.rows, *later.rows)[:SHOWN],
            examples=distinct((*self.examples, *later.examples)),
        )

    def warned(self, column: str) -> Warned | None:
        """The warning, if there is enough to warn of."""
        if not self.count or self.count < self.least * self.of:
            return None
        shown = f", such as {', '.join(map(repr, self.examples))}," if self.examples else ""
        message = f"column {column!r}: {self.count:,} of {self.of:,} {self.unit}{shown} {self.what}"
        rows = [row + 1 for row in self.rows]
        return Warned(code=self.code, message=message, column=column, rows=rows, suggestion=self.suggestion)


def distinct(values: Sequence[str]) -> tuple[str, ...]:
    """The first few of distinct values, each of a length that a message can show."""
    kept: dict[str, None] = {}
    for value in values:
        kept[value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"] = None
        if len(kept) == EXAMPLES:
            break
    return tuple(kept)
