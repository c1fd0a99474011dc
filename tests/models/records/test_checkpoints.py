"""Checkpoints: the row is the checkpoint; which to resume from, which is best, which may go."""

from typing import Literal

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from athanor.contract import State
from athanor.files import WEIGHTS
from models.records import checkpoints, events, jobs
from models.records.database import Database
from models.records.tables import Checkpoint
from tests.factories import a_checkpoint, a_job, a_new_checkpoint
from tests.rows import everything


@pytest.fixture
def job_id(database: Database) -> str:
    """A running job."""
    with database.writing() as tx:
        return a_job(tx, state=State.RUNNING)


def write(tx: Session, job_id: str, scores: dict[int, float | None]) -> dict[int, str]:
    """Checkpoints by step, with their scores; their ids."""
    return {step: a_checkpoint(tx, job_id=job_id, step=step, score=score) for step, score in scores.items()}


def steps(tx: Session, job_id: str, status: str = "committed") -> list[int]:
    query = select(Checkpoint.step).where(Checkpoint.job_id == job_id, Checkpoint.status == status)
    return sorted(tx.scalars(query))


def test_a_checkpoint_shows_what_was_stored(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        new = a_new_checkpoint(step=10, score=0.5, reason="best")
        checkpoint_id = jobs.commit_checkpoint(tx, job_id, 1, new)
    with database.reading() as tx:
        stored, shown = checkpoints.by_id(tx, job_id, checkpoint_id), checkpoints.answer(tx, checkpoint_id)
        assert stored == checkpoints.Stored(checkpoint_id, 10, 1.0, 0.5, new.prefix, new.files)
        assert stored.key(WEIGHTS) == f"{new.prefix}/{WEIGHTS}"
        assert (shown.id, shown.step, shown.reason, shown.score, shown.attempt) == (checkpoint_id, 10, "best", 0.5, 1)
        assert (shown.bytes, shown.sha256, shown.files) == (10, "a" * 64, new.files)
        (event,) = [event for event in events.since(tx, job_id, 0, 100) if event.kind == "checkpoint"]
        assert (event.attempt, event.data) == (1, {"id": checkpoint_id, "step": 10, "reason": "best"})


def test_the_newest_is_that_of_the_highest_step(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        other = a_job(tx, state=State.RUNNING)
        assert checkpoints.newest(tx, job_id) is None
        assert checkpoints.best(tx, job_id, "min") is None
        write(tx, other, {99: 0.0})
        ids = write(tx, job_id, {10: None, 30: None, 20: None})
        newest = checkpoints.newest(tx, job_id)
        assert newest is not None
        assert newest.id == ids[30]
        assert checkpoints.best(tx, job_id, "min") == newest


@pytest.mark.parametrize(("mode", "step"), [("min", 20), ("max", 10)])
def test_the_best_is_the_earliest_of_equals(
    database: Database, job_id: str, mode: Literal["min", "max"], step: int
) -> None:
    with database.writing() as tx:
        write(tx, job_id, {40: 0.9, 10: 0.9, 30: -0.1, 20: -0.1, 50: None})
        best = checkpoints.best(tx, job_id, mode)
        assert best is not None
        assert best.step == step


def test_what_is_broken_or_leaving_is_passed_over(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        ids = write(tx, job_id, {10: 0.3, 20: 0.2, 30: 0.1})
        checkpoints.mark_corrupt(tx, ids[30])
        newest, best = checkpoints.newest(tx, job_id), checkpoints.best(tx, job_id, "min")
        assert newest is not None
        assert newest == best == checkpoints.by_id(tx, job_id, ids[20])
        assert checkpoints.by_id(tx, job_id, ids[30]) is None
        checkpoints.retire(tx, job_id, 1, 1, "max")
        assert (steps(tx, job_id), steps(tx, job_id, "deleting"), steps(tx, job_id, "corrupt")) == ([10, 20], [], [30])
        assert [each.step for each in checkpoints.page(tx, job_id, None, 10)[0]] == [10, 20]


def test_a_checkpoint_belongs_to_its_job(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        other = a_job(tx, state=State.RUNNING)
        ids = write(tx, job_id, {10: None})
        assert checkpoints.by_id(tx, other, ids[10]) is None
        assert checkpoints.page(tx, other, None, 10)[0] == []
        assert checkpoints.prefixes(tx, other) == set()
        assert checkpoints.prefixes(tx, job_id) == {"jobs/x/10"}


def test_a_broken_checkpoint_makes_way_for_the_same_step(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        ids = write(tx, job_id, {10: None})
        checkpoints.mark_corrupt(tx, ids[10])
        again = jobs.commit_checkpoint(tx, job_id, 1, a_new_checkpoint(step=10, prefix="jobs/x/again"))
        newest = checkpoints.newest(tx, job_id)
        assert newest is not None
        assert (newest.id, newest.prefix) == (again, "jobs/x/again")
    with pytest.raises(IntegrityError), database.writing() as tx:
        jobs.commit_checkpoint(tx, job_id, 1, a_new_checkpoint(step=10, prefix="jobs/x/other"))


def test_a_commit_that_is_tried_again_changes_nothing(database: Database, job_id: str) -> None:
    new = a_new_checkpoint(step=10)
    with database.writing() as tx:
        first = jobs.commit_checkpoint(tx, job_id, 1, new)
    with database.reading() as tx:
        tables = everything(tx)
    with database.writing() as tx:
        assert jobs.commit_checkpoint(tx, job_id, 1, new) == first
        again = everything(tx)
    assert [name for name in tables if tables[name] != again[name]] == ["jobs"]


@pytest.mark.parametrize(
    ("keep_last", "keep_best", "mode", "kept"),
    [
        (1, 0, "min", [60]),
        (2, 1, "min", [20, 50, 60]),
        (2, 1, "max", [10, 50, 60]),
        (1, 2, "min", [20, 40, 60]),
        (1, 2, "max", [10, 30, 60]),
        (3, 1, "min", [20, 40, 50, 60]),
        (9, 0, "min", [10, 20, 30, 40, 50, 60]),
        (1, 9, "min", [10, 20, 30, 40, 50, 60]),
    ],
)
def test_the_last_and_the_best_are_kept(
    database: Database, job_id: str, keep_last: int, keep_best: int, mode: Literal["min", "max"], kept: list[int]
) -> None:
    with database.writing() as tx:
        write(tx, job_id, {10: 0.5, 20: 0.1, 30: 0.5, 40: 0.2, 50: 0.3, 60: 0.4})
        gone = checkpoints.retire(tx, job_id, keep_last, keep_best, mode)
        assert steps(tx, job_id) == kept
        assert sorted(each.step for each in gone) == steps(tx, job_id, "deleting")
        assert sorted([*kept, *steps(tx, job_id, "deleting")]) == [10, 20, 30, 40, 50, 60]


def test_each_member_keeps_its_own(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        for step, (member, score) in enumerate([(1, 0.1), (1, 0.3), (1, 0.2), (2, 0.6), (2, 0.5), (2, 0.7)], 1):
            new = a_new_checkpoint(step=step, score=score, member=member)
            jobs.commit_checkpoint(tx, job_id, 1, new)
        checkpoints.retire(tx, job_id, 1, 1, "min")
        assert steps(tx, job_id) == [1, 3, 5, 6]
        best = [checkpoints.best(tx, job_id, "min", member) for member in (None, 1, 2)]
        assert [one.step for one in best if one] == [1, 1, 5]
        assert [one.fold for one in checkpoints.page(tx, job_id, None, 9)[0]] == [1, 1, 2, 2]


def test_members_have_checkpoints_of_the_same_step(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        for step in (10, 20):
            for member in (None, 1, 2):
                new = a_new_checkpoint(step=step, member=member, prefix=f"jobs/x/{step}-{member}")
                jobs.commit_checkpoint(tx, job_id, 1, new)
        everyone = checkpoints.page(tx, job_id, None, 9)[0]
        assert [(one.step, one.fold) for one in everyone] == [
            (step, fold) for step in (10, 20) for fold in (None, 1, 2)
        ]
        for at, one in enumerate(everyone):
            assert checkpoints.page(tx, job_id, one.id, 9)[0] == everyone[at + 1 :]
        newest = [checkpoints.newest(tx, job_id, member) for member in (None, 1, 2)]
        assert [(one.step, one.member) for one in newest if one] == [(20, 2), (20, 1), (20, 2)]
        assert checkpoints.best(tx, job_id, "min", 1) == newest[1]
        checkpoints.mark_corrupt(tx, everyone[-1].id)
        again = a_new_checkpoint(step=20, member=1, prefix="jobs/x/again")
    with pytest.raises(IntegrityError), database.writing() as tx:
        jobs.commit_checkpoint(tx, job_id, 1, again)
    with database.writing() as tx:
        jobs.commit_checkpoint(tx, job_id, 1, a_new_checkpoint(step=20, member=2, prefix="jobs/x/again"))
        assert len(checkpoints.page(tx, job_id, None, 9)[0]) == 6


def test_what_an_earlier_try_left_is_retired_again_until_it_is_forgotten(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        ids = write(tx, job_id, {10: None, 20: None})
        checkpoints.forget(tx, ids[10])
        assert steps(tx, job_id) == [10, 20], "what is committed is not forgotten"
        for _ in range(2):
            assert [each.id for each in checkpoints.retire(tx, job_id, 1, 1, "min")] == [ids[10]]
        checkpoints.forget(tx, ids[10])
        assert checkpoints.retire(tx, job_id, 1, 1, "min") == []
        assert checkpoints.prefixes(tx, job_id) == {"jobs/x/20"}


def test_pages_go_in_the_order_of_writing(database: Database, job_id: str) -> None:
    with database.writing() as tx:
        for step in (10, 20, 30):
            write(tx, job_id, {step: None})
        everyone = checkpoints.page(tx, job_id, None, 10)[0]
        first = checkpoints.page(tx, job_id, None, 2)[0]
        assert first == everyone[:2]
        assert checkpoints.page(tx, job_id, first[-1].id, 2)[0] == everyone[2:]
        # As where the clock of the first worker was an hour ahead: its ids come last.
        ids = sorted((one.id for one in everyone), reverse=True)
        for step, new in zip((10, 20, 30), ids, strict=True):
            tx.execute(update(Checkpoint).where(Checkpoint.step == step).values(id=f"{new}x"))
        assert [one.step for one in checkpoints.page(tx, job_id, f"{ids[0]}x", 10)[0]] == [20, 30]
