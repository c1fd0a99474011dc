"""What transitions do besides moving a job: leases, wishes, losses, exactness, repeated requests, deletion."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from athanor.contract import LEASED, TERMINAL, CheckpointFile, JobError, State
from models.records import attempts, checkpoints, events, idempotency, job_views, jobs, metrics
from models.records.database import Database, now
from models.records.origins import Origin
from models.records.tables import Attempt, Checkpoint, Job
from tests.factories import (
    LEASE,
    a_checkpoint,
    a_claim,
    a_dataset,
    a_job,
    a_key,
    a_new_checkpoint,
    a_submission,
    a_worker,
    an_attempt,
    expire_lease,
    some_points,
)
from tests.rows import counts, job_row, moves


def lost(tx: Session, job_id: str, attempt: int) -> None:
    jobs.lose(tx, job_id, attempt, "killed by signal 9")


def reaped(tx: Session, job_id: str, attempt: int) -> None:
    expire_lease(tx, job_id=job_id)
    assert jobs.reap(tx) == [job_id]


ENDINGS = [lost, jobs.release, reaped]
"""The ways in which an attempt ends without the job having ended."""


def an_attempt_row(tx: Session, job_id: str, attempt: int) -> Attempt:
    return tx.scalars(select(Attempt).where(Attempt.job_id == job_id, Attempt.attempt == attempt)).one()


def test_a_submitted_job_waits(database: Database) -> None:
    with database.writing() as tx:
        key_id = a_key(tx, name="lab")
        who = {"actor": "key", "key_id": key_id, "by": "lab"}
        wanted = a_submission(tx, key_id=key_id, name="first", tags={"team": "red"}, priority=3)
        job_id, is_new = jobs.submit(tx, wanted)
        job = job_row(tx, job_id)
        assert is_new
        assert (job.state, job.desired, job.attempt, job.step, job.version) == ("queued", "run", 0, 0, 1)
        assert (job.name, job.priority, job.bit_exact, job.error) == ("first", 3, True, None)
        assert moves(tx, job_id) == [{"attempt": 0, "from": None, "to": "queued", "reason": "submitted", **who}]
        assert counts(tx)["tags"] == 1


@pytest.mark.parametrize(
    ("state", "values"),
    [
        (State.QUEUED, {"lease_owner": "W", "lease_expires_at": 1.0}),
        (State.QUEUED, {"lease_expires_at": 1.0}),
        (State.RUNNING, {"lease_owner": None, "lease_expires_at": None}),
        (State.RUNNING, {"lease_expires_at": None}),
        (State.RUNNING, {"state": "queued"}),
        (State.QUEUED, {"state": "starting"}),
        (State.QUEUED, {"state": "lost"}),
        (State.QUEUED, {"desired": "retry"}),
    ],
    ids=str,
)
def test_the_table_refuses_half_a_lease_and_unknown_words(
    database: Database, state: State, values: dict[str, Any]
) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=state)
        if values.get("lease_owner"):
            values = values | {"lease_owner": a_worker(tx)}
    with pytest.raises(IntegrityError, match="ck_jobs_"), database.writing() as tx:
        tx.execute(update(Job).where(Job.id == job_id).values(**values))


def test_a_claim_begins_an_attempt(database: Database) -> None:
    with database.writing() as tx:
        job_id, worker_id = a_job(tx), a_worker(tx)
        claim = jobs.claim(tx, worker_id, ["auto"], LEASE)
        job, attempt = job_row(tx, job_id), an_attempt_row(tx, job_id, 1)
        clock = tx.scalars(select(now())).one()
    assert job.resolved is not None and claim == jobs.Claim(job_id, 1, job.resolved, job.dataset_id)
    assert job.lease_owner == attempt.worker_id == worker_id
    assert job.lease_expires_at == pytest.approx(clock + LEASE, abs=2)
    assert job.started_at == pytest.approx(clock, abs=2)
    assert (attempt.start_step, attempt.processes, attempt.ended_at, attempt.outcome) == (0, None, None, None)


def test_a_fork_knows_where_it_comes_from(database: Database) -> None:
    files = [CheckpointFile(name="weights.safetensors", bytes=9, sha256="b" * 64)]
    origin = Origin(job_id="job_p", checkpoint_id="ckpt_p", step=7, fresh=["head.bias"], prefix="jobs/x/o", files=files)
    with database.writing() as tx:
        wanted = replace(a_submission(tx), origin=origin, id="job_fork")
        assert jobs.submit(tx, wanted) == ("job_fork", True)
        assert moves(tx, "job_fork")[0]["reason"] == "forked from job_p at step 7"
        shown = job_views.job(tx, "job_fork", LEASE)
        assert shown is not None and shown.origin is not None
        assert shown.origin.model_dump() == {
            "job_id": "job_p",
            "checkpoint_id": "ckpt_p",
            "step": 7,
            "fresh": ["head.bias"],
        }
        for attempt in (1, 2):
            claim = a_claim(tx)
            assert (claim.job_id, claim.attempt, claim.origin) == ("job_fork", attempt, origin)
            jobs.release(tx, "job_fork", attempt)
    assert origin.key("weights.safetensors") == "jobs/x/o/weights.safetensors"


def test_begin_notes_who_runs_it(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.STARTING)
        jobs.begin(tx, job_id, 1, [(99, None)], "cuda:0", {"torch": "2"})
        attempt = an_attempt_row(tx, job_id, 1)
    assert (attempt.device, attempt.fingerprint) == ("cuda:0", {"torch": "2"})
    assert attempt.processes == [{"pid": 99, "started": None}]


def test_a_beat_keeps_the_lease_and_notes_progress(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        expire_lease(tx, job_id=job_id)
        assert jobs.beat(tx, job_id, 1, LEASE, (7, 0.25, 12.5)) == "run"
        assert jobs.reap(tx) == []
        job = job_row(tx, job_id)
        assert (job.step, job.epoch, job.eta_seconds) == (7, 0.25, 12.5)
        version = job.version
        jobs.beat(tx, job_id, 1, LEASE)
        job = job_row(tx, job_id)
        assert (job.step, job.version) == (7, version)


def test_a_failure_is_kept_as_it_was_said(database: Database) -> None:
    error = JobError(code="diverged", message="the loss is NaN at step 3", retryable=False)
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        jobs.fail(tx, job_id, 1, error)
        assert job_row(tx, job_id).error == error.model_dump()
        assert an_attempt_row(tx, job_id, 1).outcome == "diverged"


@pytest.mark.parametrize("end", [*ENDINGS, jobs.succeed])
def test_who_no_longer_runs_shows_no_eta(database: Database, end: Callable[..., None]) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        jobs.beat(tx, job_id, 1, LEASE, (7, 0.25, 12.5))
        end(tx, job_id, 1)
        assert job_row(tx, job_id).eta_seconds is None
        assert an_attempt_row(tx, job_id, 1).ended_at is not None


@pytest.mark.parametrize("state", sorted(LEASED))
@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize(
    ("wishes", "outcome"),
    [
        ([jobs.cancel], State.CANCELLED),
        ([jobs.pause], State.PAUSED),
        ([jobs.pause, jobs.cancel], State.CANCELLED),
        ([jobs.pause, jobs.resume], State.QUEUED),
        ([], State.QUEUED),
    ],
    ids=lambda value: "+".join(wish.__name__ for wish in value) if isinstance(value, list) else None,
)
def test_a_wish_is_carried_out_when_the_attempt_ends(
    database: Database,
    state: State,
    end: Callable[..., None],
    wishes: list[Callable[[Session, str], None]],
    outcome: State,
) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=state)
        for wish in wishes:
            wish(tx, job_id)
            wished = "run" if wish is jobs.resume else wish.__name__
            assert (job_row(tx, job_id).state, jobs.beat(tx, job_id, 1, LEASE)) == (state, wished)
        end(tx, job_id, 1)
        job = job_row(tx, job_id)
        assert job.state == outcome
        assert (job.lease_owner, job.lease_expires_at) == (None, None)
        assert (job.finished_at is not None) == (outcome in TERMINAL)


def test_a_cancellation_is_not_taken_back(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING, desired="cancel")
        for verb in (jobs.pause, jobs.resume):
            with pytest.raises(jobs.InvalidTransition, match="being cancelled"):
                verb(tx, job_id)
        jobs.cancel(tx, job_id)
        assert jobs.beat(tx, job_id, 1, LEASE) == "cancel"


def test_success_overtakes_a_wish(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING, desired="cancel")
        jobs.succeed(tx, job_id, 1)
        assert job_row(tx, job_id).state == "succeeded"
        with pytest.raises(jobs.InvalidTransition, match="succeeded"):
            jobs.cancel(tx, job_id)


def test_a_paused_job_resumes_as_the_next_attempt(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.PAUSED)
        jobs.resume(tx, job_id)
        assert job_row(tx, job_id).desired == "run"
        assert a_claim(tx).attempt == 2


@pytest.mark.parametrize("end", [lost, reaped])
def test_three_losses_without_a_checkpoint_exhaust_a_job(database: Database, end: Callable[..., None]) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        for attempt in (1, 2, 3):
            assert job_row(tx, job_id).state == "queued"
            assert a_claim(tx).attempt == attempt
            end(tx, job_id, attempt)
        job = job_row(tx, job_id)
        assert (job.state, job.no_progress_losses, job.failures + job.worker_lost) == ("failed", 3, 3)
        assert job.error is not None
        assert (job.error["code"], job.error["retryable"]) == ("exhausted", True)
        assert moves(tx, job_id)[-1]["reason"] == "exhausted"


def test_a_checkpoint_pardons_the_losses_before_it(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        for attempt in range(1, 9):
            claim = a_claim(tx)
            assert claim.attempt == attempt
            jobs.begin(tx, job_id, attempt, [(99, None)], "cpu", {})
            if attempt % 2 == 0:
                a_checkpoint(tx, job_id=job_id, step=attempt)
                assert job_row(tx, job_id).no_progress_losses == 0
            lost(tx, job_id, attempt)
        assert (job_row(tx, job_id).state, job_row(tx, job_id).failures) == ("queued", 8)


def test_a_loss_backs_off_and_a_drain_does_not(database: Database) -> None:
    with database.writing() as tx:
        drained, unlucky = a_job(tx, state=State.RUNNING), a_job(tx, state=State.RUNNING)
        jobs.release(tx, drained, 1)
        lost(tx, unlucky, 1)
        clock = tx.scalars(select(now())).one()
        assert job_row(tx, drained).not_before <= clock < job_row(tx, unlucky).not_before
        assert (job_row(tx, drained).preemptions, job_row(tx, drained).no_progress_losses) == (1, 0)
        assert (job_row(tx, unlucky).failures, job_row(tx, unlucky).no_progress_losses) == (1, 1)


def test_a_full_disk_is_not_held_against_a_job(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        for attempt in range(1, 7):
            assert a_claim(tx).attempt == attempt
            jobs.begin(tx, job_id, attempt, [(99, None)], "cpu", {})
            jobs.lose(tx, job_id, attempt, "No space left on device", after=60)
            row = job_row(tx, job_id)
            assert (row.state, row.failures, row.no_progress_losses) == ("queued", attempt, 0)
            assert 50 < row.not_before - tx.scalars(select(now())).one() <= 60


def test_a_time_without_power_is_not_counted(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        tx.execute(update(Attempt).values(started_at=Attempt.started_at - 1000))
        # It worked 100 of the last 1,000 seconds.
        tx.execute(update(Job).values(beat_at=now() - 900))
        expire_lease(tx, job_id=job_id)
        assert jobs.reap(tx) == [job_id]
        assert attempts.seconds_spent(tx, job_id) == pytest.approx(100, abs=2)


def test_only_an_expired_lease_is_reaped(database: Database) -> None:
    with database.writing() as tx:
        silent, alive = a_job(tx, state=State.RUNNING), a_job(tx, state=State.STARTING)
        assert jobs.reap(tx) == []
        expire_lease(tx, job_id=silent)
        assert jobs.reap(tx) == [silent]
        assert (job_row(tx, silent).worker_lost, job_row(tx, alive).state) == (1, "starting")
        assert an_attempt_row(tx, silent, 1).outcome == "worker lost"


@pytest.mark.parametrize(
    ("with_checkpoint", "then", "exact"),
    [(True, "2.1", False), (True, "2.0", True), (False, "2.1", True)],
    ids=["another environment", "the same environment", "from the beginning"],
)
def test_a_resume_elsewhere_is_not_bit_exact(database: Database, with_checkpoint: bool, then: str, exact: bool) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.STARTING)
        jobs.begin(tx, job_id, 1, [(99, None)], "cpu", {"torch": "2.0"})
        if with_checkpoint:
            a_checkpoint(tx, job_id=job_id, step=10)
        jobs.release(tx, job_id, 1)
        a_claim(tx)
        jobs.begin(tx, job_id, 2, [(99, None)], "cpu", {"torch": then})
        assert job_row(tx, job_id).bit_exact is exact
        jobs.release(tx, job_id, 2)
        a_claim(tx)
        jobs.begin(tx, job_id, 3, [(99, None)], "cpu", {"torch": then})
        assert job_row(tx, job_id).bit_exact is exact
        warned = [str(event.data["message"]) for event in events.since(tx, job_id, 0, 99) if event.kind == "warning"]
        assert len(warned) == (not exact) and all(each.endswith("the environment changed (torch)") for each in warned)


def test_a_repeated_request_is_the_same_job(database: Database) -> None:
    with database.writing() as tx:
        key_id, other_key, dataset_id = a_key(tx), a_key(tx), a_dataset(tx)

        def submit(key: str, idempotency_key: str | None, body: str) -> tuple[str, bool]:
            wanted = a_submission(
                tx, key_id=key, dataset_id=dataset_id, idempotency_key=idempotency_key, request_sha256=body * 64
            )
            return jobs.submit(tx, wanted)

        first, _ = submit(key_id, "once", "a")
        assert submit(key_id, "once", "a") == (first, False)
        with pytest.raises(idempotency.KeyReused):
            submit(key_id, "once", "b")
        for others in [(other_key, "once", "b"), (key_id, "twice", "a"), (key_id, None, "a"), (key_id, None, "a")]:
            assert submit(*others)[1]
        assert counts(tx)["jobs"] == counts(tx)["events"] == 5


@pytest.mark.parametrize("state", list(State))
def test_only_an_ended_job_is_deleted_and_with_all_it_has(database: Database, state: State) -> None:
    with database.writing() as tx:
        before = counts(tx)
        other = a_job(tx, state=State.RUNNING, tags={"kept": "yes"})
        a_checkpoint(tx, job_id=other, step=1)
        metrics.append(tx, other, {"train/loss": some_points(start=1, stop=5)})
        kept = counts(tx)
        job_id = a_job(tx, state=state, tags={"team": "red"})
        checkpoints.insert_row(tx, job_id, 1, a_new_checkpoint(step=1))
        metrics.append(tx, job_id, {"train/loss": some_points(start=1, stop=5)})
        events.note(tx, job_id, 1, "log", {"line": "hello"})
        if state not in TERMINAL:
            with pytest.raises(jobs.InvalidTransition, match=f"the job is {state}; cancel it first"):
                jobs.remove(tx, job_id)
            return
        jobs.remove(tx, job_id)
        jobs.remove(tx, job_id)  # as by another request, that saw it too
        assert before == {}
        # What it needed stays: its key, its dataset, the worker that ran it.
        assert counts(tx) == kept | {"keys": 2, "datasets": 2, "workers": 2}
        assert an_attempt(tx, job_id=other) == 1


@pytest.mark.parametrize("wish", [jobs.cancel, jobs.pause])
def test_a_job_says_how_long_a_stop_took(database: Database, wish: Callable[..., None]) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        wish(tx, job_id)
        tx.execute(update(Job).values(desired_at=Job.desired_at - 7.0))
        # Once more changes nothing: it is the first wish that waits.
        wish(tx, job_id)
        assert job_row(tx, job_id).stop_seconds is None
        jobs.release(tx, job_id, 1)
        assert 7.0 <= (job_row(tx, job_id).stop_seconds or 0.0) < 12.0


def test_whoever_waits_is_stopped_at_once(database: Database) -> None:
    with database.writing() as tx:
        job_id, _ = jobs.submit(tx, a_submission(tx))
        jobs.pause(tx, job_id)
        assert job_row(tx, job_id).stop_seconds == 0.0
        jobs.resume(tx, job_id)
        assert (job_row(tx, job_id).stop_seconds, job_row(tx, job_id).desired_at) == (None, None)
        jobs.cancel(tx, job_id)
        assert job_row(tx, job_id).stop_seconds == 0.0


def test_an_attempt_that_is_lost_ends_no_sooner_than_its_last_checkpoint(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        a_checkpoint(tx, job_id=job_id, step=1)
        expire_lease(tx, job_id=job_id)
        assert jobs.reap(tx) == [job_id]
        made = tx.scalars(select(Checkpoint.created_at)).one()
        assert (an_attempt_row(tx, job_id, 1).ended_at or 0) >= made
