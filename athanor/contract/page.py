"""One page of a list."""

from typing import Generic, TypeVar

from pydantic import Field

from athanor.contract.base import Answer

Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    data: list[Item]
    has_more: bool
    next: str | None = Field(None, description="send it as after= to get the following page")
