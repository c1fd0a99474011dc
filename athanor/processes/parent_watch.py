"""How a process ends with who started it: a leash, the pipe at whose end it dies, and the terminal it belongs to."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def leash() -> Iterator[int]:
    """What a child is given as its standard input: it ends with the block, or with this process, however that dies."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)


def hold(pipe: BinaryIO, obey: Callable[[bytes], None] | None = None) -> None:
    """Die at the end of `pipe`, with the whole group where this process leads one; until then, obey its lines.

    A thread of its own does so from now on.
    """
    threading.Thread(target=_hold, args=(pipe, obey), name="leash", daemon=True).start()


def _hold(pipe: BinaryIO, obey: Callable[[bytes], None] | None) -> None:
    try:
        for line in pipe:
            if obey is not None:
                obey(line)
    finally:
        end = os.killpg if os.getpgrp() == os.getpid() else os.kill
        end(os.getpid(), signal.SIGKILL)


def heed_hangup() -> None:
    """Take SIGHUP, which a terminal sends as it closes, for SIGTERM; not where it is ignored, as nohup has it."""
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
