"""Which processes predict: the last that were used, within bounds, and one request after another in each."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from models.serving import predictor_pool
from models.serving.predictor_pool import MOST_PROCESSES, MOST_WAITING, Busy, Died, PredictorPool, TooLarge
from models.serving.predictor_process import Order, Outcome

SIZE = 10


class Fake:
    """In the place of a process."""

    alive: ClassVar["list[Fake]"] = []
    started = 0
    goes_on = threading.Event()

    def __init__(self, load: object, scratch: Path, memory: int, seconds: int) -> None:
        type(self).started += 1
        self.alive.append(self)

    def ask(self, body: bytes) -> Outcome:
        if body == b"die":
            raise Died
        if body == b"wait":
            assert self.goes_on.wait(20)
        return Outcome("answered", body)

    is_alive = True

    def kill(self) -> None:
        self.goes_on.set()

    def close(self) -> None:
        self.alive.remove(self)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PredictorPool]:
    monkeypatch.setattr(predictor_pool, "PredictorProcess", Fake)
    Fake.alive.clear()
    Fake.started = 0
    Fake.goes_on.clear()
    pool = PredictorPool(tmp_path, memory=1, loaded=SIZE * MOST_PROCESSES, seconds=20)
    yield pool
    Fake.goes_on.set()
    pool.close()
    assert not Fake.alive


def load(_: Path) -> Order:
    raise AssertionError("a fake loads nothing")


def ask(pool: PredictorPool, name: str, body: bytes = b"rows", size: int = SIZE) -> bytes:
    return pool.ask(name, size, load, body).content


def test_a_checkpoint_is_loaded_once(pool: PredictorPool) -> None:
    assert [ask(pool, "a"), ask(pool, "b"), ask(pool, "a")] == [b"rows"] * 3
    assert Fake.started == len(Fake.alive) == 2


def test_the_one_used_longest_ago_makes_room(pool: PredictorPool) -> None:
    for name in "abcd":
        ask(pool, name)
    ask(pool, "a")
    ask(pool, "e")
    assert [*pool._places] == ["c", "d", "a", "e"] and len(Fake.alive) == MOST_PROCESSES


def test_as_many_make_room_as_the_bytes_need(pool: PredictorPool) -> None:
    for name in "abc":
        ask(pool, name)
    ask(pool, "large", size=3 * SIZE)
    assert [*pool._places] == ["c", "large"] and len(Fake.alive) == 2
    with pytest.raises(TooLarge, match="41 bytes; predictions load 40 at most"):
        ask(pool, "too large", size=4 * SIZE + 1)
    assert len(Fake.alive) == 2


def test_a_process_that_died_is_started_again(pool: PredictorPool) -> None:
    with pytest.raises(Died):
        ask(pool, "a", b"die")
    assert not Fake.alive and not pool._places
    assert ask(pool, "a") == b"rows" and Fake.started == 2


def test_only_so_many_wait_for_one_checkpoint(pool: PredictorPool) -> None:
    with Waiting(pool, ["a"] * MOST_WAITING):
        with pytest.raises(Busy):
            ask(pool, "a")
        # The others do not wait for it.
        assert ask(pool, "b") == b"rows"
    assert ask(pool, "a") == b"rows" and Fake.started == 2


def test_nobody_waits_longer_than_a_request_may_take(pool: PredictorPool) -> None:
    with Waiting(pool, ["a"]):
        pool.seconds = 0
        with pytest.raises(Busy, match="have taken 0 s"):
            ask(pool, "a")
        assert ask(pool, "b") == b"rows"
    assert ask(pool, "a") == b"rows"


def test_what_is_evicted_is_ended_although_there_is_no_room(pool: PredictorPool) -> None:
    ask(pool, "idle")
    with Waiting(pool, ["busy"], size=3 * SIZE), pytest.raises(Busy):
        ask(pool, "large", size=2 * SIZE)
    assert [*pool._places] == ["idle", "busy"] and len(Fake.alive) == 2


def test_a_process_that_ended_between_two_requests_is_replaced(pool: PredictorPool) -> None:
    ask(pool, "a")
    Fake.alive[0].is_alive = False
    assert ask(pool, "a") == b"rows" and Fake.started == 2 and len(Fake.alive) == 1


def test_a_closed_pool_starts_nothing(pool: PredictorPool) -> None:
    with Waiting(pool, ["a"] * 3):
        pool.close()
    assert not Fake.alive
    with pytest.raises(Busy):
        ask(pool, "a")
    assert Fake.started == 1


def test_no_process_is_ended_while_it_answers(pool: PredictorPool) -> None:
    with Waiting(pool, [*"abcd"]), pytest.raises(Busy):
        ask(pool, "e")
    assert ask(pool, "e") == b"rows"


class Waiting:
    """Requests that run until the end of the block, one for each name."""

    def __init__(self, pool: PredictorPool, names: list[str], size: int = SIZE) -> None:
        self.pool, self.names = pool, names
        self.threads = [threading.Thread(target=self._ask, args=(name, size)) for name in names]

    def _ask(self, name: str, size: int) -> None:
        with suppress(Busy):
            ask(self.pool, name, b"wait", size)

    def __enter__(self) -> None:
        for thread in self.threads:
            thread.start()
        while sum(place.users for place in [*self.pool._places.values()]) < len(self.names):
            threading.Event().wait(0.01)

    def __exit__(self, *_: object) -> None:
        Fake.goes_on.set()
        for thread in self.threads:
            thread.join()
