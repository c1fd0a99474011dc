"""Pages of lists: bounded in rows, and in characters where a row may be large."""

from typing import Any, TypeVar

from sqlalchemy import Select, Text, cast, func
from sqlalchemy.orm import InstrumentedAttribute, Session

Row = TypeVar("Row")

PAGE_SIZE = 2**20
"""Characters of JSON that the rows of a page have together. A row that is larger is a page of its own."""


def cut(rows: list[Row], limit: int) -> tuple[list[Row], bool]:
    """The first `limit` rows, and whether more follow. `rows` were read with a limit of one more."""
    return rows[:limit], len(rows) > limit


def fitting(tx: Session, query: Select[Row], limit: int, *large: InstrumentedAttribute[Any]) -> tuple[list[Row], bool]:
    """Like `cut` for a query without a limit, and its columns `large` have at most PAGE_SIZE characters together."""
    sizes = [func.coalesce(func.length(cast(column, Text)), 0) for column in large]
    count = total = 0
    for size in map(sum, tx.execute(query.with_only_columns(*sizes).limit(limit + 1))):
        total += size
        if count == limit or (count and total > PAGE_SIZE):
            return list(tx.scalars(query.limit(count))), True
        count += 1
    return list(tx.scalars(query.limit(count))), False
