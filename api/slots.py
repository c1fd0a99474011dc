"""Slots: how many children of a kind run at once, and how long a request waits for one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, move_on_after

from api.problems import Refused


class Slots:
    """At most `most` requests at a time have a slot. The others wait, each for at most `patience` seconds.

    The limiter that `slot` yields has a thread for each: other work never keeps a slot waiting.
    """

    def __init__(self, most: int, patience: float, what: str) -> None:
        self._slots, self._threads = CapacityLimiter(most), CapacityLimiter(most)
        self._patience, self._what = patience, what

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[CapacityLimiter]:
        """Raises Refused (503) if there is no slot for too long."""
        this = object()
        with move_on_after(self._patience) as waiting:
            await self._slots.acquire_on_behalf_of(this)
        if waiting.cancelled_caught:
            raise Refused(503, "busy", f"{self._what}; send this again", headers={"Retry-After": "5"})
        try:
            yield self._threads
        finally:
            self._slots.release_on_behalf_of(this)
