"""The checks of the invariants find wrong rows."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from athanor.contract import State
from models.records import events, jobs
from models.records.database import Database
from models.records.tables import Attempt, Checkpoint, Event
from tests.chaos.invariants import wrong_life
from tests.factories import a_checkpoint, a_claim, a_job
from tests.rows import job_row

# SQLite only: the rows are the same on both databases.
pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])


@pytest.fixture
def tx(database: Database) -> Iterator[Session]:
    with database.writing() as open_:
        yield open_


def begin(tx: Session) -> jobs.Claim:
    """Claim and begin the next attempt."""
    claim = a_claim(tx)
    jobs.begin(tx, claim.job_id, claim.attempt, [(4712, None)], "cpu", {"torch": "2"})
    return claim


def a_life(tx: Session, pardoned: bool = True) -> str:
    """A job that is lost twice, drained, saved, lost twice more, and successful.

    If not `pardoned`, the event of the first checkpoint is missing, so the losses add up.
    """
    job_id = a_job(tx)
    for step, how in enumerate(["lost", "lost", "drained", "saved, lost", "lost", "saved, done"]):
        claim = begin(tx)
        events.note(tx, job_id, claim.attempt, "log", {"line": how})
        if "saved" in how:
            a_checkpoint(tx, job_id=job_id, step=step)
        if "lost" in how:
            jobs.lose(tx, job_id, claim.attempt, "the trainer died")
        elif how == "drained":
            jobs.release(tx, job_id, claim.attempt)
        else:
            jobs.succeed(tx, job_id, claim.attempt)
    if not pardoned:
        tx.execute(update(Event).where(Event.kind == "checkpoint", Event.attempt == 4).values(kind="warning"))
    return job_id


def found(tx: Session, job_id: str) -> list[str]:
    """The numbers of the invariants that do not hold."""
    return sorted({wrong.split()[0] for wrong in wrong_life(tx, job_row(tx, job_id))})


def test_a_correct_life(tx: Session) -> None:
    assert wrong_life(tx, job_row(tx, a_life(tx))) == []


def test_losses_without_progress(tx: Session) -> None:
    assert found(tx, a_life(tx, pardoned=False)) == ["I10"]


@pytest.mark.parametrize("span", [{"started_at": 2e9 * 2}, {"ended_at": 1.0}])
def test_a_checkpoint_outside_its_attempt(tx: Session, span: dict[str, Any]) -> None:
    job_id = a_life(tx)
    tx.execute(update(Attempt).where(Attempt.job_id == job_id, Attempt.attempt == 4).values(**span))
    assert found(tx, job_id) == ["I4"]


def test_a_checkpoint_without_an_attempt(tx: Session) -> None:
    job_id = a_life(tx)
    tx.execute(update(Checkpoint).where(Checkpoint.job_id == job_id, Checkpoint.attempt == 4).values(attempt=9))
    assert found(tx, job_id) == ["I4"]


@pytest.mark.parametrize("kind", ["log", "checkpoint", "warning"])
def test_an_event_of_an_attempt_that_is_over(tx: Session, kind: str) -> None:
    job_id = a_life(tx)
    events.note(tx, job_id, 5, kind, {"line": "I still live"})
    assert found(tx, job_id) == ["I4"]


def test_an_attempt_too_many(tx: Session) -> None:
    job_id = a_life(tx)
    worker = tx.query(Attempt.worker_id).first()
    assert worker is not None
    values = {"job_id": job_id, "attempt": 7, "worker_id": worker[0], "start_step": 0, "started_at": 1.0}
    tx.execute(insert(Attempt).values(**values))
    assert found(tx, job_id) == ["I3"]


def test_an_invalid_transition_and_a_second_end(tx: Session) -> None:
    job_id = a_life(tx)
    data = {"from": State.SUCCEEDED, "to": State.FAILED, "reason": None, "actor": "sweep"}
    events.note(tx, job_id, 6, "state", data)
    assert found(tx, job_id) == ["I2", "I8"]
