"""Pages of lists."""

from typing import TypeVar

from athanor.contract import Checkpoint, Dataset, Job, Page, Worker

Row = TypeVar("Row", Job, Dataset, Checkpoint, Worker)


def page(found: list[Row], limit: int) -> Page[Row]:
    """A page of at most `limit` rows. `found` was read with a limit of one more, which tells whether more follow."""
    data, more = found[:limit], len(found) > limit
    return Page(data=data, has_more=more, next=data[-1].id if more else None)
