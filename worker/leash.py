"""The two pipes between a trainer and its supervisor, from the trainer's side."""

import json
import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Any


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


class Leash(threading.Thread):
    """Reads orders. At the end of the pipe it kills the group: no trainer outlives its supervisor."""

    def __init__(self) -> None:
        super().__init__(name="leash", daemon=True)
        self.assignment: dict[str, Any] = {}
        self.assigned = threading.Event()
        self.stop: str | None = None

    def run(self) -> None:
        with os.fdopen(0, "rb", closefd=False) as orders:
            for line in orders:
                order = json.loads(line)
                if order["type"] == "stop":
                    self.stop = order["why"]
                else:
                    self.assignment = order
                    self.assigned.set()
        os.killpg(os.getpgid(0), signal.SIGKILL)
