"""The warm-up of a process that serves: what the first plan and the first prediction would wait for otherwise."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from models.data import intake
from models.serving import networks

IMPORT_AFTER, PARENTS_AFTER = 0.2, 10.0
"""Seconds from the start. They do not compete with the start of the service itself."""
PARENTS = (intake.PARENT, networks.PARENT)
"""The processes from which children are forked."""


@contextmanager
def warm_up() -> Iterator[None]:
    """Warm up in the background. A service that has ended leaves no process, not even for a moment."""
    loop = asyncio.get_running_loop()
    # PyTorch imports it for the shapes of the first plan: a second in which others would wait.
    timers = [loop.call_later(IMPORT_AFTER, loop.run_in_executor, None, import_module, "torch._dynamo")]
    timers += [loop.call_later(PARENTS_AFTER, loop.run_in_executor, None, parent.start) for parent in PARENTS]
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for parent in PARENTS:
            parent.close()
