"""What a queued job waits for, and its place in the queue."""

from typing import Any

import pytest
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from athanor.contract import State, Waiting
from models.records import job_views, jobs, queue, waiting
from models.records.database import Database, now
from models.records.tables import Job, Worker
from models.records.times import rfc3339
from tests.factories import LEASE, a_job, a_worker


def with_cuda(tx: Session) -> str:
    """A worker on a machine with a GPU."""
    return a_worker(tx, machine="m2", device="cuda")


def shown(tx: Session, job_id: str) -> Waiting:
    job = job_views.job(tx, job_id, LEASE)
    assert job is not None and job.waiting is not None
    return job.waiting


def warned(tx: Session, device: str) -> list[str]:
    return [one.code for one in waiting.warnings(tx, device, LEASE)]


def test_no_worker(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        assert shown(tx, job_id) == Waiting(reason=waiting.NO_WORKER, place=1)
        assert warned(tx, "auto") == warned(tx, "cuda") == ["no_worker"]


@pytest.mark.parametrize("change", [{"state": "gone"}, {"state": "draining"}, {"heartbeat_at": now() - LEASE - 1}])
def test_a_worker_that_takes_no_jobs_is_none(database: Database, change: dict[str, Any]) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        a_worker(tx)
        assert shown(tx, job_id).reason == waiting.ONE_IS_FREE and warned(tx, "auto") == []
        tx.execute(update(Worker).values(**change))
        assert shown(tx, job_id).reason == waiting.NO_WORKER and warned(tx, "auto") == ["no_worker"]


def test_a_job_that_asks_for_cuda_where_no_worker_has_it(database: Database) -> None:
    with database.writing() as tx:
        a_worker(tx)
        others = [a_job(tx, device="auto") for _ in range(2)]
        first, second = a_job(tx, device="cuda"), a_job(tx, device="cuda")
        assert shown(tx, first) == Waiting(reason=waiting.NO_CUDA, place=1)
        assert shown(tx, second) == Waiting(reason=waiting.NO_CUDA, place=2)
        assert shown(tx, others[1]) == Waiting(reason=waiting.ONE_IS_FREE, place=2)
        assert (warned(tx, "cuda"), warned(tx, "cpu"), warned(tx, "auto")) == (["no_device"], [], [])
        with_cuda(tx)
        # A device that is served is in the same queue as the others: its worker takes them too.
        assert shown(tx, second) == Waiting(reason=waiting.ONE_IS_FREE, place=4)
        assert warned(tx, "cuda") == []


def test_a_job_waits_for_the_jobs_before_it(database: Database) -> None:
    with database.writing() as tx:
        worker_id = a_worker(tx)
        running = a_job(tx, state=State.RUNNING, worker_id=worker_id)
        a_job(tx, state=State.PAUSED, worker_id=worker_id)
        later, urgent, first = a_job(tx), a_job(tx, priority=5), a_job(tx)
        tx.execute(update(Job).where(Job.id == later).values(created_at=now() + 60))
        assert {job_id: shown(tx, job_id).place for job_id in (urgent, first, later)} == {urgent: 1, first: 2, later: 3}
        assert shown(tx, first).reason == waiting.ALL_BUSY
        found = job_views.job(tx, running, LEASE)
        assert found is not None and found.waiting is None
        jobs.succeed(tx, running, 1)
        assert shown(tx, first).reason == waiting.ONE_IS_FREE


def test_jobs_of_one_moment_share_a_place(database: Database) -> None:
    with database.writing() as tx:
        alike = [a_job(tx) for _ in range(3)]
        last = a_job(tx)
        tx.execute(update(Job).where(Job.id.in_(alike)).values(created_at=1.0))
        assert [shown(tx, job_id).place for job_id in (*alike, last)] == [1, 1, 1, 4]


def test_a_job_whose_attempt_was_lost_waits_for_its_time(database: Database) -> None:
    with database.writing() as tx:
        worker_id = a_worker(tx)
        job_id = a_job(tx, state=State.RUNNING, worker_id=worker_id)
        jobs.lose(tx, job_id, 1, "the trainer died", after=60.0)
        held = tx.get_one(Job, job_id).not_before
        assert rfc3339(held) in shown(tx, job_id).reason
        tx.execute(update(Job).values(not_before=now() - 1))
        assert shown(tx, job_id).reason == waiting.ONE_IS_FREE


def test_a_job_with_a_part_that_no_worker_knows(database: Database) -> None:
    with database.writing() as tx:
        job_id, old = a_job(tx), a_worker(tx)
        claim = jobs.claim(tx, old, ["auto"], LEASE)
        assert claim is not None
        jobs.release(tx, job_id, 1, drained=False, why=f"{queue.UNKNOWN_PART}: version 0.1 has no architecture kan")
        reason = shown(tx, job_id).reason
        assert "version 0.1 has no architecture kan" in reason and "start one of a newer version" in reason
        other = a_job(tx)
        assert shown(tx, other).reason == waiting.ONE_IS_FREE
        a_worker(tx)
        assert shown(tx, job_id).reason == waiting.ONE_IS_FREE


def test_the_tag_changes_with_what_a_job_waits_for(database: Database) -> None:
    def tag() -> str:
        found = job_views.unless_known(tx, job_id, LEASE, lambda _: False)
        assert found is not None and found[1] is not None
        assert job_views.unless_known(tx, job_id, LEASE, lambda etag: etag == found[0]) == (found[0], None)
        return found[0]

    with database.writing() as tx:
        job_id = a_job(tx)
        version = job_views.version(tx, job_id)
        tags = [tag()]
        assert tag() == tags[0]
        worker_id = a_worker(tx)
        tags.append(tag())
        a_job(tx, state=State.RUNNING, worker_id=worker_id)
        tags.append(tag())
        a_job(tx, priority=1)
        tags.append(tag())
        assert len(set(tags)) == len(tags) and job_views.version(tx, job_id) == version
        assert job_views.unless_known(tx, "job_unknown", LEASE, lambda _: False) is None


def test_a_list_asks_as_often_for_many_jobs_as_for_one(database: Database) -> None:
    def asked(limit: int) -> int:
        statements: list[str] = []

        def see(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(database.engine, "before_cursor_execute", see)
        try:
            with database.reading() as tx:
                found = job_views.page(tx, None, [], None, limit, LEASE)[0]
        finally:
            event.remove(database.engine, "before_cursor_execute", see)
        assert len(found) == limit and all(job.waiting for job in found)
        return len(statements)

    with database.writing() as tx:
        a_worker(tx)
        for device in ("auto", "cuda", "cpu"):
            for _ in range(4):
                a_job(tx, device=device)
    assert asked(12) == asked(1)
