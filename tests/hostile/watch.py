"""Watch a service from outside: the memory of its processes, and how long others wait for it."""

import threading
import time
from types import TracebackType
from typing import Self

import httpx
import psutil

from tests.hostile.case import visitor

EVERY = 0.02


class Watch:
    """While it is entered: the most memory beyond that at the start, and the longest wait of somebody else."""

    def __init__(self, api: psutil.Process, port: int) -> None:
        self.api, self.port = api, port
        self.memory = 0
        """The most bytes beyond rest, of the API and of the processes that began meanwhile."""
        self.wait = 0.0
        """The longest answer to /healthz, in seconds."""
        self.failures: list[str] = []
        """What went wrong with the watch itself: somebody else without an answer, an API that has ended."""
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._weigh, self._ask)]

    def __enter__(self) -> Self:
        self._known = {each.pid for each in self.api.children(recursive=True)}
        self._rest = self.api.memory_info().rss
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _weigh(self) -> None:
        while True:
            try:
                self.memory = max(self.memory, self.api.memory_info().rss - self._rest + self._children())
            except psutil.NoSuchProcess:
                self.failures.append("the process of the service has ended")
                return
            if self._over.wait(EVERY):
                return

    def _children(self) -> int:
        """Bytes that only these children use: what a fork shares with its parent is counted there."""
        total = 0
        for child in self.api.children(recursive=True):
            if child.pid not in self._known:
                try:
                    total += child.memory_full_info().uss
                except psutil.Error:
                    continue
        return total

    def _ask(self) -> None:
        with visitor(self.port, 60) as client:
            while True:
                began = time.perf_counter()
                try:
                    client.get("/healthz").raise_for_status()
                except httpx.HTTPError as error:
                    self.failures.append(f"somebody else was not answered: {error!r}")
                    return
                finally:
                    self.wait = max(self.wait, time.perf_counter() - began)
                if self._over.wait(EVERY):
                    return
