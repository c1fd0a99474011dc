"""The warm-up of a process that serves: what the first plan and the first prediction would wait for otherwise."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
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
    later: list[tuple[float, Callable[[], object]]] = [(IMPORT_AFTER, partial(import_module, "torch._dynamo"))]
    later += [(PARENTS_AFTER, parent.start) for parent in PARENTS]
    timers = [loop.call_later(seconds, loop.run_in_executor, None, call) for seconds, call in later]
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for parent in PARENTS:
            parent.close()
