"""Parent watch: a process ends when its parent ends, or when its terminal closes."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def parent_pipe() -> Iterator[int]:
    """Open a pipe and yield its reading end. It becomes the standard input of a child, which calls `hold` on it.

    The pipe closes at the end of the block, or when this process dies.
    """
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)


def hold(pipe: BinaryIO, obey: Callable[[bytes], None] | None = None) -> None:
    """Start a thread that reads `pipe`, calls `obey` with each line, and kills this process when the pipe closes.

    If this process leads a process group, the whole group is killed.
    """
    threading.Thread(target=_hold, args=(pipe, obey), name="parent-watch", daemon=True).start()


def _hold(pipe: BinaryIO, obey: Callable[[bytes], None] | None) -> None:
    try:
        for line in pipe:
            if obey is not None:
                obey(line)
    finally:
        end = os.killpg if os.getpgrp() == os.getpid() else os.kill
        end(os.getpid(), signal.SIGKILL)


def heed_hangup() -> None:
    """Treat SIGHUP, which a closing terminal sends, as SIGTERM. Under nohup it stays ignored."""
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
