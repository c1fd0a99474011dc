"""Pages of lists."""

from typing import TypeVar

from athanor.contract import Checkpoint, Dataset, Job, Page, Worker

Row = TypeVar("Row", Job, Dataset, Checkpoint, Worker)


def page(data: list[Row], more: bool) -> Page[Row]:
    """A page of these rows. `more` says whether others follow."""
    return Page(data=data, has_more=more, next=data[-1].id if more else None)
