"""Every transition of a job against every state: what it does where it is allowed, and nothing where it is not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from athanor.contract import LEASED, TERMINAL, Baseline, JobError, State
from models.records import job_views, jobs
from models.records.database import Database
from models.records.tables import Worker
from tests.factories import LEASE, a_job, a_new_checkpoint, an_attempt, expire_lease
from tests.rows import everything, job_row, moves

QUEUED, STARTING, RUNNING, PAUSED, SUCCEEDED, FAILED, CANCELLED = State
Outcome = Literal["fenced", "forbidden", "nothing"]
Step = Callable[[Session, str, int], Any]


@dataclass(frozen=True)
class Row:
    """One line of the table of transitions.

    From a state outside `origins` the step ends as `otherwise` says, but from a `quiet` one: there it is a wish to be
    fulfilled later, or has been already. Without `to` the job stays where it is.
    """

    name: str
    step: Step
    origins: frozenset[State]
    to: State | None
    reason: str | None
    actor: str
    otherwise: Outcome = "fenced"
    desired: Literal["run", "pause", "cancel"] | None = None
    quiet: frozenset[State] = field(default_factory=frozenset)

    def __str__(self) -> str:
        return self.name


def claim(tx: Session, job_id: str, attempt: int) -> jobs.Claim | None:
    return jobs.claim(tx, tx.scalar(select(Worker.id)) or "wrk_0", ["auto"], LEASE)


def begin(tx: Session, job_id: str, attempt: int) -> None:
    jobs.begin(tx, job_id, attempt, [(99, None)], "cuda:0", {"torch": "2"})


def beat(tx: Session, job_id: str, attempt: int) -> str:
    return jobs.beat(tx, job_id, attempt, LEASE, (5, 0.5, 60.0))


def checkpoint(tx: Session, job_id: str, attempt: int) -> str:
    return jobs.commit_checkpoint(tx, job_id, attempt, a_new_checkpoint(step=5))


def lose(tx: Session, job_id: str, attempt: int) -> None:
    jobs.lose(tx, job_id, attempt, "killed by signal 9")


def fail(tx: Session, job_id: str, attempt: int) -> None:
    jobs.fail(tx, job_id, attempt, JobError(code="diverged", message="the loss is NaN"))


def reap(tx: Session, job_id: str, attempt: int) -> list[str]:
    return jobs.reap(tx)


def by_user(verb: Callable[[Session, str], None]) -> Step:
    return lambda tx, job_id, attempt: verb(tx, job_id)


WAITING = frozenset({QUEUED, PAUSED})
ONLY_RUNNING = frozenset({RUNNING})
TABLE = [
    Row("T2 claim", claim, frozenset({QUEUED}), STARTING, None, "worker", "nothing"),
    Row("T3 begin", begin, frozenset({STARTING}), RUNNING, None, "supervisor"),
    Row("T4 beat", beat, LEASED, None, None, "supervisor"),
    Row("T5 checkpoint", checkpoint, ONLY_RUNNING, None, None, "supervisor"),
    Row("T6 succeed", jobs.succeed, ONLY_RUNNING, SUCCEEDED, None, "supervisor"),
    Row("T7 lose", lose, LEASED, QUEUED, "killed by signal 9", "supervisor"),
    Row("T8 fail", fail, LEASED, FAILED, "diverged", "supervisor"),
    Row("T9 reap", reap, LEASED, QUEUED, "worker lost", "sweep", "nothing"),
    Row("T10 cancel", by_user(jobs.cancel), WAITING, CANCELLED, "cancelled", "key", "forbidden",
        quiet=LEASED | {CANCELLED}),
    Row("T11 release", jobs.release, LEASED, CANCELLED, None, "supervisor", desired="cancel"),
    Row("T12 release", jobs.release, LEASED, PAUSED, None, "supervisor", desired="pause"),
    Row("T13 pause", by_user(jobs.pause), frozenset({QUEUED}), PAUSED, "paused", "key", "forbidden",
        quiet=LEASED | {PAUSED}),
    Row("T13 resume", by_user(jobs.resume), frozenset({PAUSED}), QUEUED, "resumed", "key", "forbidden",
        quiet=LEASED | {QUEUED}),
    Row("T14 release", jobs.release, LEASED, QUEUED, "worker drained", "supervisor"),
]  # fmt: skip
FENCED = [row for row in TABLE if row.otherwise == "fenced"]


def prepare(tx: Session, row: Row, state: State) -> tuple[str, int]:
    """A job in `state` with an attempt behind it, so that a refusal is about the state."""
    job_id = a_job(tx, state=state, attempts=1, desired=row.desired if state in LEASED else None)
    if row.name == "T9 reap" and state in LEASED:
        expire_lease(tx, job_id=job_id)
    return job_id, an_attempt(tx, job_id=job_id)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_transition_moves_the_job_and_says_so(database: Database, row: Row, subtests: pytest.Subtests) -> None:
    for state in sorted(row.origins):
        with subtests.test(state=state):
            check_move(database, row, state)


def check_move(database: Database, row: Row, state: State) -> None:
    with database.writing() as tx:
        job_id, attempt = prepare(tx, row, state)
        before, version = len(moves(tx, job_id)), job_row(tx, job_id).version
    with database.writing() as tx:
        row.step(tx, job_id, attempt)
    with database.reading() as tx:
        job, events = job_row(tx, job_id), moves(tx, job_id)[before:]
    assert job.version > version
    if row.to is None:
        assert (job.state, events) == (state, [])
        return
    moved = attempt + 1 if row.to == STARTING else attempt
    assert job.state == row.to
    assert events == [{"attempt": moved, "from": state, "to": row.to, "reason": row.reason, "actor": row.actor}]
    assert (job.lease_owner is not None) == (job.lease_expires_at is not None) == (row.to in LEASED)
    assert (job.finished_at is not None) == (row.to in TERMINAL)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_transition_is_refused_from_every_other_state(
    database: Database, row: Row, subtests: pytest.Subtests
) -> None:
    with database.writing() as tx:
        jobs_in = {state: prepare(tx, row, state) for state in State if state not in row.origins | row.quiet}
        tables = everything(tx)
    for state, (job_id, attempt) in jobs_in.items():
        with subtests.test(state=state):
            assert attempted(database, row, job_id, attempt) == row.otherwise
            with database.reading() as tx:
                assert everything(tx) == tables


def attempted(database: Database, row: Row, job_id: str, attempt: int) -> Outcome | Literal["done"]:
    try:
        with database.writing() as tx:
            result = row.step(tx, job_id, attempt)
            return "nothing" if row.otherwise == "nothing" and not result else "done"
    except jobs.LeaseLost:
        return "fenced"
    except jobs.InvalidTransition:
        return "forbidden"


@pytest.mark.parametrize("off", [-1, 1])
@pytest.mark.parametrize("row", FENCED, ids=str)
def test_another_attempt_is_fenced_and_changes_nothing(database: Database, row: Row, off: int) -> None:
    with database.writing() as tx:
        held = [a_job(tx, state=state, attempts=2, desired=row.desired) for state in sorted(row.origins)]
        tables = everything(tx)
    for job_id in held:
        with database.writing() as tx, pytest.raises(jobs.LeaseLost):
            row.step(tx, job_id, 2 + off)
    with database.reading() as tx:
        assert everything(tx) == tables


def test_to_begin_once_more_after_a_lost_answer_changes_nothing(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=State.STARTING)
        begin(tx, job_id, 1)
        tables = everything(tx)
        begin(tx, job_id, 1)
        assert everything(tx) == tables
        jobs.lose(tx, job_id, 1, "killed")
        with pytest.raises(jobs.LeaseLost):
            begin(tx, job_id, 1)


def test_a_baseline_is_noted_by_the_holder_alone(database: Database) -> None:
    baseline = Baseline(kind="majority", values={"test/accuracy": 0.25})
    with database.writing() as tx:
        job_id = a_job(tx, state=State.RUNNING)
        for attempt in (0, 2):
            with pytest.raises(jobs.LeaseLost):
                jobs.note_baseline(tx, job_id, attempt, baseline)
        found = job_views.job(tx, job_id, LEASE)
        assert found is not None and found.baseline is None
        jobs.note_baseline(tx, job_id, 1, baseline)
    with database.reading() as tx:
        found = job_views.job(tx, job_id, LEASE)
        assert found is not None and found.baseline == baseline


@pytest.mark.parametrize("ended", sorted(TERMINAL))
def test_an_ended_job_never_changes(database: Database, ended: State) -> None:
    with database.writing() as tx:
        job_id = a_job(tx, state=ended)
        tables = everything(tx)
    for row in TABLE:
        if row.step is claim:
            continue
        try:
            with database.writing() as tx:
                row.step(tx, job_id, 1)
        except (jobs.LeaseLost, jobs.InvalidTransition):
            pass
    with database.reading() as tx:
        assert everything(tx) == tables
