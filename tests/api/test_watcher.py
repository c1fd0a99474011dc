"""One query for all who wait, shared looks, and an end for those who may not listen any more."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api import watcher as watchers
from api.problems import Refused
from api.watcher import UNSEEN, Watcher
from models.records import events, job_views, jobs, keys, metrics
from models.records.chunks import Points
from models.records.database import Database
from tests.factories import a_job


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "LOOK_EVERY", 0.02)


def owned(database: Database) -> tuple[str, str]:
    """A job and the id of a key."""
    with database.writing() as tx:
        key_id = keys.create(tx, "listener").split("_")[1]
        return a_job(tx), key_id


def note(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        events.note(tx, job_id, 1, "log", {"line": "news"})


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(test(), 20)

    return asyncio.run(bounded())


def test_who_waits_hears_of_news_and_of_nothing_else(database: Database) -> None:
    job_id, key_id = owned(database)
    other, _ = owned(database)

    async def test() -> None:
        watcher = Watcher(database)
        mark = await watcher.news(job_id, key_id, UNSEEN, 20)
        assert await watcher.news(job_id, key_id, mark, 0.2) == mark
        waiting = asyncio.create_task(watcher.news(job_id, key_id, mark, 20))
        note(database, other)
        await asyncio.sleep(0.2)
        assert not waiting.done()
        note(database, job_id)
        assert await waiting != mark
        assert await watcher.news("job_none", key_id, mark, 20) is None

    run(test)


def test_the_last_mark_of_a_job_that_goes_on_is_known(database: Database) -> None:
    job_id, key_id = owned(database)

    async def test() -> None:
        watcher = Watcher(database)
        assert watcher.known(job_id) == UNSEEN, "nothing is known yet"
        mark = await watcher.news(job_id, key_id, UNSEEN, 20)
        assert watcher.known(job_id) == mark
        with database.writing() as tx:
            metrics.append(tx, job_id, {"train/loss": Points.of([1, 2], [0.5, 0.4], [0.0, 0.0])})
        newer = await watcher.news(job_id, key_id, mark, 20)
        assert newer != mark
        assert watcher.known(job_id) == newer
        with database.writing() as tx:
            jobs.cancel(tx, job_id, key_id)
        await watcher.news(job_id, key_id, newer, 20)
        assert watcher.known(job_id) == UNSEEN, "nothing will come"

    run(test)


def test_many_are_told_one_after_the_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "TOLD_AT_ONCE", 3)
    job_id, key_id = owned(database)
    heard: list[int] = []

    async def test() -> None:
        watcher = Watcher(database)
        mark = await watcher.news(job_id, key_id, UNSEEN, 20)
        waiting = [asyncio.create_task(watcher.news(job_id, key_id, mark, 20)) for _ in range(9)]
        await asyncio.sleep(0.1)
        sleep = asyncio.sleep

        async def noted(seconds: float) -> None:
            if seconds == watchers.PAUSE:
                heard.append(sum(each.news.done() for each in watcher._waits))
            await sleep(seconds)

        monkeypatch.setattr(asyncio, "sleep", noted)
        note(database, job_id)
        await asyncio.gather(*waiting)

    run(test)
    # Who has been told is no longer among those who wait.
    assert heard == [3, 3, 3]


def test_the_owner_of_a_revoked_key_is_told_before_others(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "TOLD_AT_ONCE", 1)
    job_id, key_id = owned(database)
    _, other = owned(database)

    async def test() -> None:
        watcher = Watcher(database)
        mark = await watcher.news(job_id, key_id, UNSEEN, 20)
        waiting = [asyncio.create_task(watcher.news(job_id, key_id, mark, 20)) for _ in range(3)]
        revoked = asyncio.create_task(watcher.news(job_id, other, mark, 20))
        monkeypatch.setattr(watchers, "PAUSE", 30.0)
        await asyncio.sleep(0.1)
        with database.writing() as tx:
            keys.revoke(tx, other)
            events.note(tx, job_id, 1, "log", {"line": "news"})
        with pytest.raises(Refused):
            await revoked
        for each in waiting:
            each.cancel()

    run(test)


def test_many_wait_with_one_query_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id, key_id = owned(database)
    asked: list[int] = []
    marks = job_views.marks

    def counted(tx: Any, job_ids: set[str]) -> Any:
        asked.append(len(job_ids))
        return marks(tx, job_ids)

    monkeypatch.setattr(job_views, "marks", counted)

    async def test() -> None:
        watcher = Watcher(database)
        mark = await watcher.news(job_id, key_id, UNSEEN, 20)
        asked.clear()
        await asyncio.gather(*(watcher.news(job_id, key_id, mark, 0.5) for _ in range(200)))
        assert 2 < len(asked) <= 27 and set(asked) == {1}
        await asyncio.sleep(0.1)
        ended = len(asked)
        await asyncio.sleep(0.2)
        # Nobody waits, so nothing is asked.
        assert len(asked) == ended

    run(test)


def test_who_has_a_revoked_key_hears_no_more(database: Database) -> None:
    job_id, key_id = owned(database)

    async def test() -> None:
        watcher = Watcher(database)
        mark = await watcher.news(job_id, key_id, UNSEEN, 20)
        waiting = asyncio.create_task(watcher.news(job_id, key_id, mark, 20))
        with database.writing() as tx:
            assert keys.revoke(tx, key_id)
        with pytest.raises(Refused) as refused:
            await waiting
        assert refused.value.status_code == 401

    run(test)


def test_the_same_look_is_done_once(database: Database) -> None:
    looked: list[str] = []
    goes_on = threading.Event()

    def look() -> str:
        looked.append("looked")
        assert goes_on.wait(20)
        return "seen"

    job_id, key_id = owned(database)

    async def test() -> None:
        watcher = Watcher(database)
        mark = await watcher.news(job_id, key_id, UNSEEN, 20)
        waiting = asyncio.create_task(watcher.news(job_id, key_id, mark, 20))
        calls = [asyncio.create_task(watcher.look("what", mark, look, len)) for _ in range(5)]
        await asyncio.sleep(0.1)
        # One caller hangs up; the others still get the answer.
        calls[0].cancel()
        goes_on.set()
        assert await asyncio.gather(*calls[1:]) == ["seen"] * 4 and len(looked) == 1
        # Who is told of the same news later gets the same answer.
        await asyncio.sleep(0.1)
        assert await watcher.look("what", mark, look, len) == "seen" and len(looked) == 1
        # A large answer is not kept for them, and other news are looked at anew.
        for _ in range(2):
            assert await watcher.look("large", mark, look, lambda _: watchers.LARGEST_KEPT + 1) == "seen"
        assert await watcher.look("what", "another mark", look, len) == "seen" and len(looked) == 4
        # When nobody waits any more, everything is looked at anew: the job may have been deleted.
        waiting.cancel()
        await asyncio.sleep(0.1)
        assert watcher.known(job_id) == UNSEEN
        for _ in range(2):
            assert await watcher.look("what", mark, look, len) == "seen"
        assert len(looked) == 6

    run(test)


def test_no_look_is_shared_that_began_before_the_mark(database: Database) -> None:
    """Otherwise its caller would wait for news that the look has missed."""
    looked: list[str] = []
    goes_on = threading.Event()

    def look() -> int:
        looked.append("looked")
        at = len(looked)
        assert goes_on.wait(20)
        return at

    async def test() -> None:
        watcher = Watcher(database)
        early = asyncio.create_task(watcher.look("what", 1, look, len))
        await asyncio.sleep(0.1)
        late = [asyncio.create_task(watcher.look("what", mark, look, int)) for mark in (2, UNSEEN, UNSEEN)]
        await asyncio.sleep(0.1)
        goes_on.set()
        assert await early == 1
        assert sorted(await asyncio.gather(*late)) == [2, 3, 4]

    run(test)


def test_a_key_has_only_so_many_listeners(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "MOST_LISTENERS", 2)
    watcher = Watcher(database)
    with watcher.listening("one"), watcher.listening("one"), watcher.listening("other"):
        with pytest.raises(Refused) as refused, watcher.listening("one"):
            raise AssertionError
        assert refused.value.status_code == 429
    with watcher.listening("one"):
        pass
