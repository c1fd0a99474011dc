"""The warm-up of a process that serves: what the first plan and the first prediction would wait for otherwise."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from models.data import intake
from models.serving import networks

IMPORT_AFTER, PARENTS_AFTER = 0.2, 10.0
"""Seconds from the start. They do not compete with the start of the service itself."""
PARENTS = (intake.PARENT, networks.PARENT)
"""The processes from which children are forked."""


@contextmanager
def lasting() -> Iterator[None]:
    """What is there after the block is never searched for garbage again.

    For imports: to search the modules of PyTorch takes a tenth of a second, in which every request waits.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _import() -> None:
    """Import what PyTorch imports for the shapes of the first plan: a second in which others would wait."""
    with lasting():
        import_module("torch._dynamo")


@contextmanager
def warm_up() -> Iterator[None]:
    """Warm up in the background. A service that has ended leaves no process, not even for a moment."""
    loop = asyncio.get_running_loop()
    later: list[tuple[float, Callable[[], object]]] = [(IMPORT_AFTER, _import)]
    later += [(PARENTS_AFTER, parent.start) for parent in PARENTS]
    timers = [loop.call_later(seconds, loop.run_in_executor, None, call) for seconds, call in later]
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for parent in PARENTS:
            parent.close()
