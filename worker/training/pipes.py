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
"""Seconds between looks into the room."""


@dataclass
class Pipe:
    """Messages to the supervisor, one JSON object a line."""

    handle: int
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, kind: str, **data: Any) -> None:
        line = (json.dumps({"type": kind, **data}) + "\n").encode()
        with self.lock:
            while line:
                line = line[os.write(self.handle, line) :]

    def await_taking(self, room: Path) -> None:
        """Wait until the supervisor has taken every snapshot out of the trainer's room.

        So no more than one lies there while it stores the one before: a slow store holds its trainer back, and fills
        no disk with what nobody has kept yet.
        """
        while any(room.glob("step-*")):
            time.sleep(EVERY)


@dataclass
class ParentWatch:
    """The pipe of orders. At its end the whole group dies: no trainer outlives its supervisor."""

    stop: str | None = None
    """Why to stop, once that was ordered."""

    def hold(self, orders: BinaryIO) -> None:
        """Read orders on a thread of its own from now on."""
        parent_watch.hold(orders, self._obey)

    def _obey(self, order: bytes) -> None:
        self.stop = json.loads(order)["why"]
