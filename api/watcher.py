"""A watcher: one query tells all streams and long polls of this process whether their jobs have news."""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread

from api.problems import Refused, unauthorized
from models.records import job_views, keys
from models.records.database import Database, DatabaseUnavailable

T = TypeVar("T")
logger = logging.getLogger(__name__)

LOOK_EVERY = 0.25
"""Seconds between two queries."""
TOLD_AT_ONCE, PAUSE = 2, 0.01
"""Listeners that are told at once, and seconds until the next are told. Each answers and asks again: hundreds together
would keep other requests waiting."""
ROUND = 100
"""Pauses in which all are told: a second. So a long poll, which waits anew every two, hears of news in each round."""
KEPT, LARGEST_KEPT = 16, 2**22
"""Answers that are kept for those who are told of the same news later, and the bytes of one."""
MOST_LISTENERS = 500
"""Streams and long polls of one key at a time."""
THREADS = 4
"""Threads of the looks of all listeners. Other requests have threads of their own."""

Mark = Hashable
"""What changes with every news of a job. None: there is no such job."""
UNSEEN: Mark = "unseen"


def told_of(mark: Mark) -> job_views.Mark | None:
    """The points and events that listeners with this mark are told of. None: all that there are.

    All who are told of the same news get the same of it, so that one look serves them; the rest is the next news.
    """
    return mark if isinstance(mark, job_views.Mark) and not mark.is_over else None


@dataclass(eq=False)
class _Wait:
    job_id: str
    key_id: str
    seen: Mark
    news: "asyncio.Future[Mark]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Watcher:
    """Watches the jobs that somebody waits for. Its methods belong to the event loop."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._limiter = CapacityLimiter(THREADS)
        self._waits: set[_Wait] = set()
        self._listeners: Counter[str] = Counter()
        self._looks: OrderedDict[tuple[Hashable, Mark], asyncio.Future[Any]] = OrderedDict()
        self._known: dict[str, job_views.Mark] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, key_id: str) -> Iterator[None]:
        """Count a listener of a key until the end of the block. Raises Refused (429) if there are too many."""
        if self._listeners[key_id] >= MOST_LISTENERS:
            detail = f"this key has {MOST_LISTENERS} streams and waiting requests; end some of them first"
            raise Refused(429, "too_many_listeners", detail, headers={"Retry-After": "5"})
        self._listeners[key_id] += 1
        try:
            yield
        finally:
            self._listeners[key_id] -= 1

    async def news(self, job_id: str, key_id: str, seen: Mark, seconds: float) -> Mark:
        """Wait until the job's mark is not `seen`, and return it; after `seconds`, return `seen`.

        Take the mark before you look at the job, so that no news is missed. The first mark is UNSEEN. Raises Refused
        (401) when the key is revoked.
        """
        wait = _Wait(job_id, key_id, seen)
        self._waits.add(wait)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            return await asyncio.wait_for(wait.news, seconds)
        except TimeoutError:
            return seen
        finally:
            self._waits.discard(wait)

    def known(self, job_id: str) -> Mark:
        """The newest mark of a job that is watched and not over; UNSEEN if there is none.

        Whoever waits with it is told of everything that came after it.
        """
        known = self._known.get(job_id)
        return UNSEEN if known is None or known.is_over else known

    async def look(self, what: Hashable, mark: Mark, read: Callable[[], T], size: Callable[[T], int]) -> T:
        """Call `read` in a thread. Callers that ask for the same with the same mark share one call and its answer.

        An answer whose `size` in bytes is large is shared only by those who wait for it.

        A call that began before the mark was taken would miss the news. So nobody shares a call without a mark.
        """
        if mark == UNSEEN:
            return await to_thread.run_sync(read, limiter=self._limiter)
        key = (what, mark)
        call = self._looks.get(key)
        if call is None:
            call = self._looks[key] = asyncio.ensure_future(to_thread.run_sync(read, limiter=self._limiter))
            call.add_done_callback(lambda done: self._keep(key, done, size))
            if len(self._looks) > KEPT:
                self._looks.popitem(last=False)
        # A caller that hangs up must not end the call for the others.
        answer: T = await asyncio.shield(call)
        return answer

    def _keep(self, key: tuple[Hashable, Mark], done: asyncio.Future[T], size: Callable[[T], int]) -> None:
        """Keep the answer of a call, unless the call failed, the answer is large, or nobody waits any more."""
        is_lasting = bool(self._waits) and not done.cancelled() and done.exception() is None
        if self._looks.get(key) is done and not (is_lasting and size(done.result()) <= LARGEST_KEPT):
            del self._looks[key]

    async def _watch(self) -> None:
        while self._waits:
            waits = [*self._waits]
            try:
                marks, valid = await to_thread.run_sync(
                    self._marks, {each.job_id for each in waits}, {each.key_id for each in waits}, limiter=self._limiter
                )
            except DatabaseUnavailable as error:
                logger.warning("the database is unavailable (%s)", error)
            except Exception:
                # The listeners wait for their time to end, and the next look may succeed.
                logger.exception("the jobs that are waited for could not be looked at")
            else:
                self._known = marks
                current = set(marks.values())
                for key in [key for key, call in self._looks.items() if call.done() and key[1] not in current]:
                    del self._looks[key]
                await self._tell(waits, marks, valid)
            await asyncio.sleep(LOOK_EVERY)
        # Without a watch, both grow old.
        self._known = {}
        self._looks.clear()

    async def _tell(self, waits: list[_Wait], marks: Mapping[str, Mark], valid: set[str]) -> None:
        for each in waits:
            if each.key_id not in valid and not each.news.done():
                each.news.set_exception(unauthorized())
        told, at_once = 0, max(TOLD_AT_ONCE, len(waits) // ROUND)
        for each in waits:
            mark = marks.get(each.job_id)
            if not each.news.done() and mark != each.seen:
                each.news.set_result(mark)
                told += 1
                if told % at_once == 0:
                    await asyncio.sleep(PAUSE)

    def _marks(self, job_ids: set[str], key_ids: set[str]) -> tuple[dict[str, job_views.Mark], set[str]]:
        with self.database.reading() as tx:
            return job_views.marks(tx, job_ids), keys.valid(tx, key_ids)
