"""Warnings of jobs about their data: written once by whoever holds the lease, and shown with the job."""

import pytest

from athanor.contract import State, Warned
from models.records import data_warnings, events, job_views
from models.records.database import Database
from models.records.transitions import LeaseLost
from tests import factories
from tests.rows import job_row

FOUND = [
    Warned(code="rows_in_two_parts", message="3 of the 10 rows of test", rows=[1, 2, 3], suggestion="leave them out"),
    Warned(code="near_equal_classes", message="2 values", column="y"),
]


def test_a_later_attempt_adds_only_what_is_new(database: Database) -> None:
    with database.writing() as tx:
        job_id = factories.a_job(tx, state=State.RUNNING)
        attempt = job_row(tx, job_id).attempt
        before = job_row(tx, job_id).version
        data_warnings.add(tx, job_id, attempt, FOUND[:1])
        data_warnings.add(tx, job_id, attempt, FOUND)
        events.note(tx, job_id, attempt, "warning", {"message": "a checkpoint is damaged"})
        assert job_row(tx, job_id).version > before
        assert data_warnings.of_jobs(tx, [job_id]) == {job_id: FOUND}
        job = job_views.job(tx, job_id, factories.LEASE)
        assert job is not None and job.warnings == FOUND


def test_without_the_lease_nothing_is_written(database: Database) -> None:
    with database.writing() as tx:
        job_id = factories.a_job(tx, state=State.RUNNING)
        attempt = job_row(tx, job_id).attempt
        with pytest.raises(LeaseLost):
            data_warnings.add(tx, job_id, attempt + 1, FOUND)
        assert data_warnings.of_jobs(tx, [job_id]) == {}
