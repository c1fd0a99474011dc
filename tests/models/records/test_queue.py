"""What is rung for, and whose lease ends before its time."""

import math
from collections.abc import Callable

import pytest
from sqlalchemy import text, update

from athanor.contract import State
from models.records import jobs, queue, workers
from models.records.database import Database, now
from models.records.tables import Job
from tests.factories import LEASE, a_claim, a_job, a_submission, a_worker, expire_lease


def test_an_empty_queue_is_seen_without_writing(database: Database) -> None:
    with database.writing() as tx:
        a_job(tx, state=State.RUNNING)
        a_job(tx, device="cuda")
    with database.reading() as tx:
        assert queue.is_empty(tx, ["auto", "cpu"])
        assert not queue.is_empty(tx, ["auto", "cuda"])


def test_a_job_is_rung_for_once_in_a_while(database: Database) -> None:
    with database.writing() as tx:
        waiting, rung = a_job(tx), a_job(tx, device="cuda")
        for state in State:
            if state != State.QUEUED:
                a_job(tx, state=state)
        not_yet = a_job(tx)
        tx.execute(update(Job).where(Job.id == not_yet).values(not_before=now() + 60))
        queue.mark_rung(tx, rung)
        assert queue.to_ring(tx, 60, 10) == [waiting]
        assert queue.to_ring(tx, 60, 10) == []
        tx.execute(update(Job).where(Job.id == rung).values(last_rung_at=now() - 61))
        assert queue.to_ring(tx, 60, 10) == [rung]


def test_no_more_jobs_are_rung_for_than_asked(database: Database) -> None:
    """Also where PostgreSQL takes the table for a small one, and would rather read the first jobs anew for each job."""
    with database.writing() as tx:
        waiting = {a_job(tx)}
    with database.writing() as tx:
        tx.execute(text("ANALYZE"))
    with database.writing() as tx:
        waiting |= {a_job(tx) for _ in range(5)}
    with database.writing() as tx:
        first, second = queue.to_ring(tx, 60, 2), queue.to_ring(tx, 60, 2)
    assert len(first) == len(second) == 2
    assert len({*first, *second}) == 4 and {*first, *second} < waiting


@pytest.mark.parametrize("back", [lambda tx, job_id: jobs.release(tx, job_id, 1), jobs.pause], ids=["drain", "pause"])
def test_a_job_that_comes_back_is_rung_for_at_once(database: Database, back: Callable[..., None]) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        queue.mark_rung(tx, job_id)
        if back is jobs.pause:
            jobs.pause(tx, job_id)
            jobs.resume(tx, job_id)
        else:
            a_claim(tx)
            back(tx, job_id)
        assert queue.to_ring(tx, 60, 10) == [job_id]


def test_the_leases_of_the_dead_of_this_machine_end(database: Database) -> None:
    with database.writing() as tx:
        pids = {"alive": 10, "gone": 11, "replaced": 12, "hidden": 13}
        held = {
            name: a_job(tx, state=State.RUNNING, worker_id=a_worker(tx, machine="here", pid=pid, pid_started=5.25))
            for name, pid in pids.items()
        }
        held["elsewhere"] = a_job(tx, state=State.RUNNING, worker_id=a_worker(tx, machine="there", pid=11))
        assert sorted(queue.held(tx)) == sorted((job_id, 1) for job_id in held.values())
        queue.expire_dead(tx, "here", {10: 5.25, 12: 8.5, 13: math.nan}.get)
        assert set(jobs.reap(tx)) == {held["gone"], held["replaced"]}
        assert sorted(queue.held(tx)) == sorted((held[name], 1) for name in ("alive", "hidden", "elsewhere"))
        # Shown as gone at once, not after a lease; one that speaks again is back.
        shown = {worker.pid: worker for worker in workers.page(tx, None, 10, LEASE)[0] if worker.running}
        assert {pid: worker.state for pid, worker in shown.items()} == {10: "active", 13: "active", 11: "active"}
        gone = {worker.pid for worker in workers.page(tx, None, 10, LEASE)[0] if worker.state == "gone"}
        assert gone == {11, 12}


def test_the_trainers_of_overdue_leases_of_this_machine_are_named(database: Database) -> None:
    with database.writing() as tx:
        for number, (machine, overdue) in enumerate([("here", True), ("here", False), ("there", True)]):
            jobs.submit(tx, a_submission(tx))
            claim = jobs.claim(tx, a_worker(tx, machine=machine), ["auto"], LEASE)
            assert claim is not None
            jobs.begin(tx, claim.job_id, claim.attempt, [(100 + number, 5.5 + number)], "cpu", {})
            if overdue:
                expire_lease(tx, job_id=claim.job_id)
        assert queue.overdue(tx, "here") == [(100, 5.5)]


def test_a_trainer_is_named_before_its_attempt_has_begun(database: Database) -> None:
    """Its supervisor may be frozen between the order and the word that it was understood."""
    with database.writing() as tx:
        job_id = a_job(tx)
        claim = jobs.claim(tx, a_worker(tx, machine="here"), ["auto"], LEASE, [(7, 5.5), (8, math.nan), (9, 6.25)])
        assert claim is not None and claim.job_id == job_id
        assert queue.overdue(tx, "here") == []
        expire_lease(tx, job_id=job_id)
        assert queue.overdue(tx, "here") == [(7, 5.5), (9, 6.25)]


def test_a_ring_that_nobody_could_follow_is_made_again(database: Database) -> None:
    with database.writing() as tx:
        job_id, running = a_job(tx, device="cuda"), a_job(tx, state=State.RUNNING)
        assert queue.to_ring(tx, 60, 10) == [job_id]
        for each in (job_id, running, "no job"):
            queue.mark_unheard(tx, each)
        assert queue.to_ring(tx, 60, 10) == [job_id]


def test_a_worker_that_does_not_know_a_part_leaves_the_job_to_others_for_a_while(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as tx:
        job_id, old, new = a_job(tx), a_worker(tx), a_worker(tx)
        claim = jobs.claim(tx, old, ["auto"], LEASE)
        assert claim is not None
        queue.mark_rung(tx, job_id)
        jobs.release(tx, job_id, claim.attempt, drained=False, why=f"{queue.UNKNOWN_PART}: no such kind")
        assert queue.is_empty(tx, ["auto"], old) and jobs.claim(tx, old, ["auto"], LEASE) is None
        assert not queue.is_empty(tx, ["auto"], new) and queue.to_ring(tx, 60, 10) == [job_id]
        with monkeypatch.context() as later:
            later.setattr(queue, "UNKNOWN_PART_REST", -1.0)
            assert not queue.is_empty(tx, ["auto"], old)
        taken = jobs.claim(tx, new, ["auto"], LEASE)
    assert taken is not None and (taken.job_id, taken.attempt) == (job_id, 2)
