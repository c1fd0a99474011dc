"""Who acted: a transition names the key that asked for it, also where a worker carries it out later."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from athanor.contract import State
from models.records import job_views, jobs
from models.records.database import Database
from tests.factories import LEASE, a_claim, a_job, a_key, an_attempt, expire_lease


def last(tx: Session, job_id: str) -> tuple[Any, ...]:
    job = job_views.job(tx, job_id, LEASE)
    assert job is not None
    moved = job.transitions[-1]
    return moved.to, moved.actor, moved.by, moved.key_id


def test_what_a_key_does_itself(database: Database) -> None:
    with database.writing() as tx:
        ann, bob = a_key(tx, name="ann"), a_key(tx, name="bob")
        job_id = a_job(tx, key_id=ann)
        assert last(tx, job_id) == ("queued", "key", "ann", ann)
        jobs.pause(tx, job_id, bob)
        assert last(tx, job_id) == ("paused", "key", "bob", bob)
        jobs.resume(tx, job_id, ann)
        assert last(tx, job_id) == ("queued", "key", "ann", ann)
        jobs.cancel(tx, job_id, bob)
        assert last(tx, job_id) == ("cancelled", "key", "bob", bob)


@pytest.mark.parametrize(("wish", "to"), [(jobs.pause, "paused"), (jobs.cancel, "cancelled")])
def test_what_a_worker_carries_out_for_a_key(
    database: Database, wish: Callable[[Session, str, str], None], to: str
) -> None:
    with database.writing() as tx:
        ann, bob = a_key(tx, name="ann"), a_key(tx, name="bob")
        job_id = a_job(tx, key_id=ann, state=State.RUNNING)
        wish(tx, job_id, bob)
        # The first wish is the one that waits.
        wish(tx, job_id, ann)
        jobs.release(tx, job_id, an_attempt(tx, job_id=job_id))
        assert last(tx, job_id) == (to, "supervisor", "bob", bob)
        swept = a_job(tx, key_id=ann, state=State.RUNNING)
        wish(tx, swept, bob)
        expire_lease(tx, job_id=swept)
        jobs.reap(tx)
        assert last(tx, swept) == (to, "sweep", "bob", bob)


def test_what_nobody_asked_for(database: Database) -> None:
    with database.writing() as tx:
        job_id = a_job(tx)
        claim = a_claim(tx)
        assert last(tx, job_id) == ("starting", "worker", None, None)
        jobs.release(tx, job_id, claim.attempt)
        assert last(tx, job_id) == ("queued", "supervisor", None, None)
