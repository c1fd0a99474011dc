"""Which job a worker gets, and what a claim leaves of the attempt before."""

from sqlalchemy import update

from athanor.contract import State
from models.records import checkpoints, jobs, metrics
from models.records.database import Database, now
from models.records.tables import Job
from tests.factories import LEASE, a_checkpoint, a_claim, a_job, a_worker, an_attempt, some_points
from tests.rows import job_row, moves


def test_higher_priority_first_then_the_older(database: Database) -> None:
    with database.writing() as tx:
        wanted = [(0, 2), (5, 3), (-100, 1), (5, 1), (0, 1), (100, 9)]
        submitted = {}
        for priority, created in wanted:
            job_id = a_job(tx, priority=priority)
            tx.execute(update(Job).where(Job.id == job_id).values(created_at=float(created)))
            submitted[job_id] = (priority, created)
        worker_id = a_worker(tx)
        claimed = [submitted[a_claim(tx, worker_id=worker_id).job_id] for _ in wanted]
        assert claimed == [(100, 9), (5, 1), (5, 3), (0, 1), (0, 2), (-100, 1)]
        assert jobs.claim(tx, worker_id, ["auto"], LEASE) is None


def test_a_job_waits_until_its_time(database: Database) -> None:
    with database.writing() as tx:
        job_id, worker_id = a_job(tx), a_worker(tx)
        tx.execute(update(Job).values(not_before=now() + 60))
        assert jobs.claim(tx, worker_id, ["auto"], LEASE) is None
        tx.execute(update(Job).values(not_before=now() - 60))
        claim = jobs.claim(tx, worker_id, ["auto"], LEASE)
        assert claim is not None
        assert claim.job_id == job_id


def test_a_worker_gets_what_its_devices_can_run(database: Database) -> None:
    with database.writing() as tx:
        on = {device: a_job(tx, device=device) for device in ("cuda", "cpu", "auto")}
        worker_id = a_worker(tx)
        assert jobs.claim(tx, worker_id, [], LEASE) is None
        first, second, none = (jobs.claim(tx, worker_id, ["auto", "cpu"], LEASE) for _ in range(3))
        assert first is not None
        assert second is not None
        assert {first.job_id, second.job_id} == {on["cpu"], on["auto"]}
        assert none is None
        assert job_row(tx, on["cuda"]).state == "queued"
        assert a_claim(tx, devices=["cuda"]).job_id == on["cuda"]


def test_what_the_user_does_not_want_now_is_not_claimed(database: Database) -> None:
    with database.writing() as tx:
        for state in State:
            if state != State.QUEUED:
                a_job(tx, state=state)
        held_back = a_job(tx)
        tx.execute(update(Job).where(Job.id == held_back).values(desired="pause"))
        assert jobs.claim(tx, a_worker(tx), ["auto"], LEASE) is None


def test_attempts_rise_at_every_claim_and_never_fall(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        for attempt in range(1, 7):
            assert a_claim(tx).attempt == attempt
            jobs.begin(tx, job_id, attempt, [(99, None)], "cpu", {})
            a_checkpoint(tx, job_id=job_id, step=attempt)
            if attempt % 2:
                jobs.release(tx, job_id, attempt)
            else:
                jobs.pause(tx, job_id)
                jobs.lose(tx, job_id, attempt, "killed")
                jobs.resume(tx, job_id)
            assert an_attempt(tx, job_id=job_id) == attempt
        assert [move["attempt"] for move in moves(tx, job_id) if move["to"] == "starting"] == [1, 2, 3, 4, 5, 6]


def test_a_claim_forgets_what_the_newest_checkpoint_does_not_know(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        other = a_job(tx, state=State.RUNNING)
        for each in (job_id, other):
            metrics.append(
                tx, each, {"train/loss": some_points(start=1, stop=31), "val/loss": some_points(start=25, stop=26)}
            )
            a_checkpoint(tx, job_id=each, step=10)
            a_checkpoint(tx, job_id=each, step=20)
            jobs.beat(tx, each, 1, LEASE, (30, 3.0, 9.0))
        jobs.release(tx, job_id, 1)
        assert a_claim(tx).job_id == job_id
        series = metrics.read(tx, job_id, None, None, None).series
        assert {name: each.steps for name, each in series.items()} == {"train/loss": list(range(1, 21))}
        job = job_row(tx, job_id)
        assert (job.step, job.epoch, job.eta_seconds) == (20, 2.0, None)
        assert moves(tx, job_id)[-1]["reason"] == "resumes at step 20"
        assert metrics.newest(tx, other, None) == 31


def test_a_claim_without_a_checkpoint_starts_over(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        metrics.append(tx, job_id, {"train/loss": some_points(start=1, stop=31)})
        checkpoint_id = a_checkpoint(tx, job_id=job_id, step=10)
        checkpoints.mark_corrupt(tx, checkpoint_id)
        jobs.release(tx, job_id, 1)
        assert a_claim(tx).job_id == job_id
        assert metrics.read(tx, job_id, None, None, None).series == {}
        assert job_row(tx, job_id).step == 0


def test_started_at_is_that_of_the_first_attempt(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        tx.execute(update(Job).values(started_at=1000.0))
        jobs.release(tx, job_id, 1)
        a_claim(tx)
        assert job_row(tx, job_id).started_at == 1000.0


def test_a_pause_that_was_taken_back_is_no_preemption(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        jobs.pause(tx, job_id)
        jobs.resume(tx, job_id)
        jobs.release(tx, job_id, 1, drained=False)
        assert (job_row(tx, job_id).state, job_row(tx, job_id).preemptions) == ("queued", 0)
