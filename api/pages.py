"""Lists, a page at a time."""

from typing import TypeVar

from athanor.contract import Checkpoint, Dataset, Job, Page, Worker

Row = TypeVar("Row", Job, Dataset, Checkpoint, Worker)


def page(found: list[Row], limit: int) -> Page[Row]:
    """A page of what was found, one more than `limit` having been asked for."""
    data, more = found[:limit], len(found) > limit
    return Page(data=data, has_more=more, next=data[-1].id if more else None)
