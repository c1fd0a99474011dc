"""Datasets: known by their bytes, kept while a job names them."""

import time

import pytest
from sqlalchemy.exc import IntegrityError, NoResultFound

from athanor.contract import Schema, State, Warned
from models.records import datasets, jobs
from models.records.database import Database
from tests.factories import a_dataset, a_job
from tests.rows import counts


def test_a_dataset_shows_what_was_added(database: Database) -> None:
    new = datasets.New(
        name="Blüten",
        format="csv",
        rows=3,
        bytes=2**40,
        sha256="b" * 64,
        identity="d" * 64,
        dialect={"encoding": "gb18030"},
        schema=Schema(columns=[], target=None),
        warnings=[Warned(code="odd", message="a row is odd", rows=[2])],
        blob=datasets.Blob("datasets/b", "c" * 64),
        id="iris",
    )
    with database.writing() as tx:
        assert datasets.add(tx, new) == "iris"
        shown = datasets.get(tx, "iris")
        assert shown is not None
        assert (shown.name, shown.rows, shown.bytes, shown.sha256) == ("Blüten", 3, 2**40, "b" * 64)
        assert (shown.schema_, shown.warnings, shown.dialect) == (new.schema, new.warnings, new.dialect)
        assert datasets.blob_of(tx, "iris") == new.blob
        other = datasets.Blob("datasets/c", "c" * 64)
        assert datasets.replace_blob(tx, "iris", other) == new.blob
        assert datasets.blob_of(tx, "iris") == other
        assert datasets.get(tx, "ds_unknown") is None
        with pytest.raises(NoResultFound):
            datasets.blob_of(tx, "ds_unknown")


def test_damage_is_noted_of_a_built_in_set_alone_and_of_the_bytes_that_were_read(database: Database) -> None:
    with database.writing() as tx:
        built_in = a_dataset(tx, format_=datasets.BUILT_IN, blob="datasets/put_1")
        upload = a_dataset(tx, format_="csv", blob="datasets/put_2")
        datasets.mark_damaged(tx, built_in, "datasets/put_0")
        assert datasets.blob_of(tx, built_in).sha256 != datasets.DAMAGED
        datasets.mark_damaged(tx, built_in, "datasets/put_1")
        datasets.mark_damaged(tx, upload, "datasets/put_2")
        assert datasets.blob_of(tx, built_in) == datasets.Blob("datasets/put_1", datasets.DAMAGED)
        assert datasets.blob_of(tx, upload).sha256 != datasets.DAMAGED


def test_the_same_bytes_read_the_same_way_are_one_dataset(database: Database) -> None:
    with database.writing() as tx:
        dataset_id = a_dataset(tx, sha256="c" * 64, identity="c" * 64)
        other_format = a_dataset(tx, sha256="c" * 64, identity="c" * 64, format_="text")
        hinted = a_dataset(tx, sha256="c" * 64, identity="e" * 64)
        ways = (("csv", "c" * 64), ("text", "c" * 64), ("csv", "e" * 64))
        found = [datasets.identical(tx, identity, [format]) for format, identity in ways]
        assert [each and each.id for each in found] == [dataset_id, other_format, hinted]
        assert datasets.identical(tx, "f" * 64, ["csv", "text"]) is None
    with pytest.raises(IntegrityError), database.writing() as tx:
        a_dataset(tx, identity="c" * 64)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
def test_a_dataset_stays_while_a_job_names_it(database: Database, state: State) -> None:
    with database.writing() as tx:
        dataset_id = a_dataset(tx)
        job_id = a_job(tx, state=state, dataset_id=dataset_id)
        with pytest.raises(datasets.InUse, match=job_id):
            datasets.remove(tx, dataset_id)
        assert datasets.get(tx, dataset_id) is not None
        if state == State.SUCCEEDED:
            jobs.remove(tx, job_id)
            assert datasets.remove(tx, dataset_id) == datasets.Blob("datasets/flowers", None)
            assert "datasets" not in counts(tx)


def test_what_is_not_there_cannot_be_removed(database: Database) -> None:
    with pytest.raises(NoResultFound), database.writing() as tx:
        datasets.remove(tx, "ds_unknown")


def test_pages_begin_with_the_newest(database: Database) -> None:
    with database.writing() as tx:
        ids: list[str] = []
        for _ in range(5):
            ids.insert(0, a_dataset(tx))
            # The clock of SQLite ticks in fractions of a millisecond.
            time.sleep(0.002)
        first = [each.id for each in datasets.page(tx, None, 3)[0]]
        rest = [each.id for each in datasets.page(tx, first[-1], 3)[0]]
    assert first + rest == ids
