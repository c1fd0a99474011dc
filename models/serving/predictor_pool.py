"""A pool of processes that predict, one for each of the checkpoints that were used last."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from models.serving.predictor_process import Died as Died
from models.serving.predictor_process import Order, Outcome, PredictorProcess

MOST_PROCESSES = 4
MOST_WAITING = 8
"""Requests for one checkpoint that run or wait at a time. They run one after another."""


class Busy(Exception):
    """Too many requests run. A later one can succeed."""


class TooLarge(Exception):
    """The weights are larger than all loaded weights may be together."""


@dataclass
class _Place:
    """The process of a checkpoint, or the place where it will be."""

    bytes: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    process: PredictorProcess | None = None

    def close(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.close()


class PredictorPool:
    """Processes for the checkpoints that were used last. Any thread may use it.

    `memory` bounds the address space of each process, and `loaded` the weights of all together, in bytes. `seconds`
    bounds a load and a request.
    """

    def __init__(self, scratch: Path, memory: int, loaded: int, seconds: int) -> None:
        self.scratch, self.memory, self.loaded, self.seconds = scratch, memory, loaded, seconds
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._lock = threading.Lock()
        self._is_closed = False

    def ask(self, checkpoint_id: str, size: int, load: Callable[[Path], Order], body: bytes) -> Outcome:
        """Answer the body of a request. `size` is that of the weights, which `load` writes to a folder, in bytes.

        Raises Busy, TooLarge, Died, and what `load` raises.
        """
        with self._place(checkpoint_id, size) as place, self._turn(place):
            if place.process is not None and not place.process.is_alive:
                # It ended between two requests, for example after its lifetime.
                place.close()
            if self._is_closed:
                raise Busy("the service is shutting down")
            if place.process is None:
                place.process = PredictorProcess(load, self.scratch, self.memory, self.seconds)
            try:
                return place.process.ask(body)
            except BaseException:
                place.close()
                raise

    @contextmanager
    def _turn(self, place: _Place) -> Iterator[None]:
        """The place alone. Raises Busy if the requests before this one take as long as a single one may."""
        if not place.lock.acquire(timeout=self.seconds):
            raise Busy(f"other requests for this checkpoint have taken {self.seconds} s")
        try:
            yield
        finally:
            place.lock.release()

    def close(self) -> None:
        """End all processes, also those that answer."""
        with self._lock:
            self._is_closed = True
            places = [*self._places.values()]
        for place in places:
            if (process := place.process) is not None:
                process.kill()
        for place in places:
            with place.lock:
                place.close()

    @contextmanager
    def _place(self, checkpoint_id: str, size: int) -> Iterator[_Place]:
        with self._lock:
            place = self._places.get(checkpoint_id)
            if place is None:
                evicted = self._make_room(size)
                place = self._places[checkpoint_id] = _Place(size)
            else:
                evicted = []
            self._places.move_to_end(checkpoint_id)
            if place.users >= MOST_WAITING:
                raise Busy(f"{MOST_WAITING} requests for this checkpoint are being answered")
            place.users += 1
        try:
            for each in evicted:
                with each.lock:
                    each.close()
            yield place
        finally:
            with self._lock:
                place.users -= 1
                if place.process is None and not place.users:
                    self._places.pop(checkpoint_id, None)

    def _make_room(self, size: int) -> list[_Place]:
        """Take the places that were used longest ago out of the pool, and return them: closing them takes a while."""
        if size > self.loaded:
            raise TooLarge(f"the weights are {size:,} bytes; predictions load {self.loaded:,} at most")
        left = dict(self._places)

        def fits() -> bool:
            return len(left) < MOST_PROCESSES and sum(each.bytes for each in left.values()) + size <= self.loaded

        for name, place in self._places.items():
            if not place.users and not fits():
                del left[name]
        if not fits():
            # Nothing was taken out yet.
            raise Busy("the processes that predict are busy with other checkpoints")
        return [self._places.pop(name) for name in [*self._places] if name not in left]
