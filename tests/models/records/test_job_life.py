"""Any order of events in the life of a few jobs, drawn at random, and what holds after each of them."""

import os
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from athanor.contract import LEASED, TERMINAL, JobError, State
from models.records import checkpoints, jobs
from models.records.database import Database, now
from models.records.tables import Attempt, Job
from tests.factories import LEASE, a_dataset, a_key, a_new_checkpoint, a_submission, a_worker, expire_lease
from tests.rows import job_row, moves

ByHolder = Callable[[Session, str, int], Any]
QUEUED, STARTING, RUNNING, PAUSED, SUCCEEDED, FAILED, CANCELLED = State
MAY_FOLLOW = {
    None: {QUEUED},
    QUEUED: {STARTING, CANCELLED, PAUSED},
    STARTING: {RUNNING, QUEUED, FAILED, CANCELLED, PAUSED},
    RUNNING: {SUCCEEDED, QUEUED, FAILED, CANCELLED, PAUSED},
    PAUSED: {QUEUED, CANCELLED},
    SUCCEEDED: set(),
    FAILED: set(),
    CANCELLED: set(),
}


class Lives(RuleBasedStateMachine):
    """Users, workers that may be zombies by now, and a reaper, over one database."""

    database: ClassVar[Database]
    submitted = Bundle("submitted")
    claims = Bundle("claims")

    @initialize()
    def begin(self) -> None:
        self.ended: dict[str, dict[str, Any]] = {}
        self.attempts: dict[str, int] = {}
        with self.database.writing() as tx:
            # Jobs of the run before are no business of this one.
            tx.execute(delete(Job))
            self.key_id, self.dataset_id, self.worker_id = a_key(tx), a_dataset(tx), a_worker(tx)

    def attempted(self, do: Callable[[Session], Any]) -> Any:
        """What a caller would see: the result, or None for a refusal."""
        try:
            with self.database.writing() as tx:
                return do(tx)
        except (jobs.LeaseLost, jobs.InvalidTransition):
            return None

    @precondition(lambda self: len(self.attempts) < 3)
    @rule(target=submitted, priority=st.integers(-1, 1))
    def submit(self, priority: int) -> str:
        with self.database.writing() as tx:
            job_id, _ = jobs.submit(
                tx, a_submission(tx, key_id=self.key_id, dataset_id=self.dataset_id, priority=priority)
            )
        self.attempts[job_id] = 0
        return job_id

    @rule(target=claims)
    def claim(self) -> Any:
        with self.database.writing() as tx:
            tx.execute(update(Job).where(Job.state == QUEUED).values(not_before=now()))
            claim = jobs.claim(tx, self.worker_id, ["auto"], LEASE)
        if claim is None:
            return multiple()
        assert claim.attempt == self.attempts[claim.job_id] + 1
        self.attempts[claim.job_id] = claim.attempt
        return claim.job_id, claim.attempt

    @precondition(lambda self: any(self.attempts.values()))
    @rule(claim=claims)
    def start(self, claim: tuple[str, int]) -> None:
        self.by_holder(claim, lambda tx, job_id, attempt: jobs.begin(tx, job_id, attempt, [(1, None)], "cpu", {}))

    @rule(claim=claims, step=st.integers(1, 50))
    def beat(self, claim: tuple[str, int], step: int) -> None:
        self.by_holder(claim, lambda tx, job_id, attempt: jobs.beat(tx, job_id, attempt, LEASE, (step, 0.1, None)))

    @rule(claim=claims)
    def checkpoint(self, claim: tuple[str, int]) -> None:
        def commit(tx: Session, job_id: str, attempt: int) -> None:
            newest = checkpoints.newest(tx, job_id)
            jobs.commit_checkpoint(tx, job_id, attempt, a_new_checkpoint(step=newest.step + 1 if newest else 1))

        self.by_holder(claim, commit)

    @rule(claim=claims, end=st.sampled_from(["succeed", "fail", "lose", "release"]))
    def end(self, claim: tuple[str, int], end: str) -> None:
        diverged = JobError(code="diverged", message="NaN")
        ends: dict[str, ByHolder] = {
            "succeed": jobs.succeed,
            "fail": lambda tx, job_id, attempt: jobs.fail(tx, job_id, attempt, diverged),
            "lose": lambda tx, job_id, attempt: jobs.lose(tx, job_id, attempt, "killed"),
            "release": jobs.release,
        }
        self.by_holder(claim, ends[end])

    def by_holder(self, claim: tuple[str, int], do: ByHolder) -> None:
        """A write by someone who once claimed the job: fenced off unless it is the newest attempt and still leased."""
        job_id, attempt = claim
        with self.database.reading() as tx:
            job = job_row(tx, job_id)
            before = (job.state, job.version, job.step, job.lease_expires_at)
            holds = job.attempt == attempt and job.state in LEASED
        self.attempted(lambda tx: do(tx, job_id, attempt))
        if not holds:
            with self.database.reading() as tx:
                job = job_row(tx, job_id)
                assert (job.state, job.version, job.step, job.lease_expires_at) == before

    @rule(job_id=submitted)
    def expire(self, job_id: str) -> None:
        with self.database.writing() as tx:
            if job_row(tx, job_id).lease_owner:
                expire_lease(tx, job_id=job_id)

    @precondition(lambda self: any(self.attempts.values()))
    @rule()
    def reap(self) -> None:
        with self.database.writing() as tx:
            expired = set(tx.scalars(select(Job.id).where(Job.lease_expires_at < now())))
            assert set(jobs.reap(tx)) == expired

    @rule(job_id=submitted, verb=st.sampled_from([jobs.cancel, jobs.pause, jobs.resume]))
    def wish(self, job_id: str, verb: Callable[[Session, str], None]) -> None:
        self.attempted(lambda tx: verb(tx, job_id))

    @invariant()
    def holds(self) -> None:
        with self.database.reading() as tx:
            for job_id, attempts in getattr(self, "attempts", {}).items():
                job = job_row(tx, job_id)
                self.check_events(tx, job, attempts)
                leased = job.state in LEASED
                assert (job.lease_owner is not None) == (job.lease_expires_at is not None) == leased
                open_ = select(func.count()).where(Attempt.job_id == job_id, Attempt.ended_at.is_(None))
                assert tx.scalar(open_) == leased
                assert job.no_progress_losses <= jobs.MAX_LOSSES
                # Queued, but not to be run, would be queued for ever.
                assert job.state != QUEUED or job.desired == "run"
                row = {column.name: getattr(job, column.name) for column in Job.__table__.columns}
                if State(job.state) in TERMINAL:
                    assert job.finished_at is not None
                    assert self.ended.setdefault(job_id, row) == row

    def check_events(self, tx: Session, job: Job, attempts: int) -> None:
        events = moves(tx, job.id)
        assert events[0]["from"] is None
        for event in events:
            assert event["to"] in MAY_FOLLOW[event["from"]]
        for earlier, later in pairwise(events):
            assert later["from"] == earlier["to"]
            assert later["attempt"] == earlier["attempt"] + (later["to"] == STARTING)
        assert (job.state, job.attempt) == (events[-1]["to"], attempts)
        assert sum(event["to"] in TERMINAL for event in events) == (State(job.state) in TERMINAL)


def test_whatever_happens(database: Database) -> None:
    Lives.database = database
    # Unshrunk: over a real database the search for a shorter story would outlast the test's time.
    drawn = settings(
        max_examples=int(os.environ.get("LIVES", "40")),
        stateful_step_count=40,
        deadline=None,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run(Lives, settings=drawn)
