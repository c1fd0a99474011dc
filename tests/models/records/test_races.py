"""Two at once: whichever commits first wins, and the other sees it. Both databases, real threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from athanor.contract import State
from models.records import jobs
from models.records.database import Database
from tests.factories import LEASE, a_dataset, a_job, a_key, a_submission, a_worker, expire_lease
from tests.rows import counts, job_row

HELD_UP = 0.3
"""Seconds after which a transaction that has not ended is taken to wait for another."""


@pytest.fixture
def second() -> Iterator[ThreadPoolExecutor]:
    """Another thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@contextmanager
def meanwhile(
    database: Database, pool: ThreadPoolExecutor, do: Callable[[Session], Any]
) -> Iterator[tuple[Session, "Future[Any]"]]:
    """A transaction that another one, begun after the block, has to wait for. The block ends with its commit."""

    def late() -> Any:
        with database.writing() as tx:
            return do(tx)

    with database.writing() as tx:
        started: list[Future[Any]] = []
        outcome: Future[Any] = Future()
        yield tx, outcome
        started.append(pool.submit(late))
        wait(started, HELD_UP)
        assert not started[0].done(), "the second transaction did not wait"
    error = started[0].exception(10)
    if error is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(started[0].result())


def test_two_workers_never_get_the_same_job(database: Database) -> None:
    with database.writing() as tx:
        key_id, dataset_id = a_key(tx), a_dataset(tx)
        queued = {a_job(tx, key_id=key_id, dataset_id=dataset_id) for _ in range(50)}
        worker_ids = [a_worker(tx), a_worker(tx)]
    together = Barrier(2)

    def drain(worker_id: str) -> list[str]:
        together.wait()
        mine: list[str] = []
        while True:
            with database.writing() as tx:
                claim = jobs.claim(tx, worker_id, ["auto"], LEASE)
            if claim is None:
                return mine
            mine.append(claim.job_id)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(drain, worker_ids)
    assert len(one) + len(other) == 50
    assert {*one, *other} == queued
    with database.reading() as tx:
        assert counts(tx)["attempts"] == 50
        assert {job_row(tx, job_id).lease_owner for job_id in one} <= {worker_ids[0]}


@pytest.mark.parametrize("dialect", ["postgresql"])
def test_a_claim_passes_over_a_job_that_is_just_being_claimed(database: Database) -> None:
    """SQLite has one writer at a time: there a claim waits."""
    with database.writing() as tx:
        first, second, worker_id = a_job(tx, priority=1), a_job(tx), a_worker(tx)
    with database.writing() as tx, database.writing() as other:
        claims = [jobs.claim(each, worker_id, ["auto"], LEASE) for each in (tx, other)]
        assert [claim.job_id for claim in claims if claim] == [first, second]


def test_a_beat_that_comes_first_saves_the_job_from_the_reaper(database: Database, second: ThreadPoolExecutor) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        expire_lease(tx, job_id=job_id)
    # The reaper reads while the beat is not yet committed, and updates when it is.
    with meanwhile(database, second, jobs.reap) as (tx, reaped):
        jobs.beat(tx, job_id, 1, LEASE)
    assert reaped.result() == []
    with database.reading() as tx:
        assert (job_row(tx, job_id).state, job_row(tx, job_id).worker_lost) == ("running", 0)


def test_a_beat_that_comes_after_the_reaper_is_fenced(database: Database, second: ThreadPoolExecutor) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        expire_lease(tx, job_id=job_id)
    with meanwhile(database, second, lambda tx: jobs.beat(tx, job_id, 1, LEASE)) as (tx, beaten):
        assert jobs.reap(tx) == [job_id]
    assert isinstance(beaten.exception(), jobs.LeaseLost)
    with database.reading() as tx:
        assert job_row(tx, job_id).state == "queued"


def test_two_reapers_reap_once(database: Database, second: ThreadPoolExecutor) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        expire_lease(tx, job_id=job_id)
    with meanwhile(database, second, jobs.reap) as (tx, again):
        assert jobs.reap(tx) == [job_id]
    assert again.result() == []
    with database.reading() as tx:
        assert job_row(tx, job_id).worker_lost == 1


@pytest.mark.parametrize(("wish", "outcome"), [(jobs.cancel, "cancelled"), (jobs.pause, "paused")])
@pytest.mark.parametrize("end", ["release", "lose", "reap"])
def test_a_wish_committed_while_the_attempt_ends_is_not_lost(
    database: Database, second: ThreadPoolExecutor, wish: Callable[[Session, str], None], outcome: str, end: str
) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        expire_lease(tx, job_id=job_id)
    ends: dict[str, Callable[[Session], Any]] = {
        "release": lambda tx: jobs.release(tx, job_id, 1),
        "lose": lambda tx: jobs.lose(tx, job_id, 1, "killed"),
        "reap": jobs.reap,
    }
    with meanwhile(database, second, ends[end]) as (tx, ended):
        wish(tx, job_id)
    ended.result()
    with database.reading() as tx:
        assert job_row(tx, job_id).state == outcome


def test_a_cancellation_finds_a_job_that_is_just_being_drained(database: Database, second: ThreadPoolExecutor) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
    with meanwhile(database, second, lambda tx: jobs.cancel(tx, job_id)) as (tx, cancelled):
        jobs.release(tx, job_id, 1)
    cancelled.result()
    with database.reading() as tx:
        assert job_row(tx, job_id).state == "cancelled"


def test_a_cancellation_that_comes_after_success_is_refused(database: Database, second: ThreadPoolExecutor) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
    with meanwhile(database, second, lambda tx: jobs.cancel(tx, job_id)) as (tx, cancelled):
        jobs.succeed(tx, job_id, 1)
    assert isinstance(cancelled.exception(), jobs.InvalidTransition)


def test_the_same_request_twice_at_once_is_one_job(database: Database, second: ThreadPoolExecutor) -> None:
    with database.writing() as tx:
        wanted = a_submission(tx, idempotency_key="once")
    with meanwhile(database, second, lambda tx: jobs.submit(tx, wanted)) as (tx, repeated):
        first, _ = jobs.submit(tx, wanted)
    # PostgreSQL let it begin too early to see the first: then it is told so, and asks again.
    if isinstance(repeated.exception(), IntegrityError):
        with database.writing() as tx:
            assert jobs.submit(tx, wanted) == (first, False)
    else:
        assert repeated.result() == (first, False)
    with database.reading() as tx:
        assert counts(tx)["jobs"] == 1
