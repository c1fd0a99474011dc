"""The two pipes between a trainer and its supervisor, from the trainer's side."""

import json
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from athanor.processes import parent_watch

EVERY = 0.01
"""Seconds between two checks of the folder."""


@dataclass
class Pipe:
    """Messages to the supervisor, one JSON object per line."""

    handle: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, kind: str, **data: Any) -> None:
        line = (json.dumps({"type": kind, **data}) + "\n").encode()
        with self.lock:
            while line:
                line = line[os.write(self.handle, line) :]

    def await_taking(self, folder: Path) -> None:
        """Wait until the supervisor has moved every snapshot out of the trainer's folder.

        At most one snapshot waits there while the supervisor stores another. So a slow store slows the trainer down,
        and the disk does not fill with snapshots.
        """
        while any(folder.glob("step-*")):
            time.sleep(EVERY)


@dataclass
class ParentWatch:
    """The pipe of orders from the supervisor. When it closes, the whole process group is killed."""

    stop: str | None = None
    """The reason of the last order to stop; None before the first one."""

    def hold(self, orders: BinaryIO) -> None:
        """Start a thread that reads the orders."""
        parent_watch.hold(orders, self._obey)

    def _obey(self, order: bytes) -> None:
        self.stop = json.loads(order)["why"]
