"""Slots: few at a time, and a wait that ends."""

import anyio
import pytest

from api.problems import Refused
from api.slots import Slots


def test_as_many_as_there_are_slots() -> None:
    async def main() -> list[int]:
        slots, held, most = Slots(2, 60, "busy"), 0, [0]

        async def work() -> None:
            nonlocal held
            async with slots.slot() as threads:
                held += 1
                most.append(held)
                await anyio.to_thread.run_sync(lambda: None, limiter=threads)
                held -= 1

        async with anyio.create_task_group() as group:
            for _ in range(9):
                group.start_soon(work)
        return most

    most = anyio.run(main)
    assert max(most) == 2 and len(most) == 10


def test_a_wait_ends_and_takes_no_slot() -> None:
    async def main() -> None:
        slots = Slots(1, 0.05, "the service reads other uploads")
        async with slots.slot():
            with pytest.raises(Refused, match="the service reads other uploads; send this again") as raised:
                async with slots.slot():
                    raise AssertionError("there was a slot")
            assert (raised.value.status_code, raised.value.code) == (503, "busy")
        with pytest.raises(ZeroDivisionError):
            async with slots.slot():
                raise ZeroDivisionError
        async with slots.slot():
            await anyio.sleep(0.2)

    anyio.run(main)
