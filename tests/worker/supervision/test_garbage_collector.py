"""Bytes without a row: what a kill between the two left goes, what a row names or may yet name stays."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from athanor.contract import State
from models.records import datasets, jobs
from models.records.database import Database
from models.records.ids import new_id
from models.settings import Settings, Timing
from models.storage.folder import FolderStore
from models.storage.rows import RowStore
from models.storage.store import Store
from tests.factories import a_dataset, a_job, a_key, a_new_checkpoint
from worker.supervision import garbage_collector
from worker.supervision.garbage_collector import GarbageCollector
from worker.supervision.slots import Slot
from worker.supervision.worker import Worker

AT_ONCE = Timing(orphan=0.0)


@pytest.fixture(params=["folder", "rows"])
def store(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Store:
    with database.writing() as tx:
        a_key(tx)
    return FolderStore(tmp_path / "store") if request.param == "folder" else RowStore(database)


def put(store: Store, tmp_path: Path, *keys: str) -> list[str]:
    (tmp_path / "source").write_bytes(b"x")
    for key in keys:
        store.put(key, tmp_path / "source")
    return [*keys]


def kept(store: Store) -> list[str]:
    return sorted((*store.keys("datasets"), *store.keys("jobs"), *store.keys("other")))


def running(tx: Session, step: int) -> tuple[str, str]:
    """A running job with one checkpoint, and where that is."""
    job_id = a_job(tx, state=State.RUNNING)
    prefix = f"jobs/{job_id}/a1/step-{step}"
    jobs.commit_checkpoint(tx, job_id, 1, a_new_checkpoint(step=step, prefix=prefix))
    return job_id, prefix


def test_what_no_row_names_goes_and_all_else_stays(database: Database, store: Store, tmp_path: Path) -> None:
    blob = f"datasets/{new_id('put')}"
    with database.writing() as tx:
        a_dataset(tx, blob=blob)
        job_id, prefix = running(tx, 5)
    named = put(store, tmp_path, blob, f"{prefix}/weights", f"{prefix}/state", f"jobs/{job_id}/origin/weights")
    foreign = put(store, tmp_path, "datasets/mine.csv", "jobs/notes", f"jobs/{job_id}/notes", "other/thing")
    gone = new_id("job")
    put(store, tmp_path, f"datasets/{new_id('put')}", f"datasets/.{new_id('put')}.{'0f' * 8}.part")
    put(store, tmp_path, f"jobs/{gone}/origin/weights", f"jobs/{gone}/a1/step-3/weights")
    put(store, tmp_path, f"jobs/{job_id}/a1/step-6/weights")
    collector = GarbageCollector(database, store, AT_ONCE)
    collector.run()
    collector.run()
    assert kept(store) == sorted(named + foreign)
    if isinstance(store, FolderStore):
        assert not (store.root / "jobs" / gone).exists()


def test_young_bytes_may_yet_get_their_row(
    database: Database, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    collector = GarbageCollector(database, store, Timing())
    late, never = (put(store, tmp_path, f"datasets/{new_id('put')}")[0] for _ in range(2))
    collector.run()
    clock[0] += 23 * 3600
    collector.run()
    assert kept(store) == sorted([late, never])
    with database.writing() as tx:
        dataset_id = a_dataset(tx, blob=late)
    clock[0] += 2 * 3600
    collector.run()
    assert kept(store) == [late]
    with database.writing() as tx:
        datasets.remove(tx, dataset_id)
    collector.run()
    assert kept(store) == [late], "once it has lost its row its time begins anew"
    clock[0] += 25 * 3600
    collector.run()
    assert kept(store) == []


def test_a_pass_that_stood_still_removes_nothing_for_it(
    database: Database, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    (young,) = put(store, tmp_path, f"datasets/{new_id('put')}")
    collector = GarbageCollector(database, store, Timing())
    look = collector._look

    def stand_still() -> list[str]:
        unnamed = look()
        clock[0] += 30 * 3600
        return unnamed

    monkeypatch.setattr(collector, "_look", stand_still)
    collector.run()
    assert kept(store) == [young], "its row may have been written meanwhile"


def test_a_large_store_is_looked_through_in_parts(
    database: Database, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage_collector, "MOST", 2)
    put(store, tmp_path, *(f"datasets/{new_id('put')}" for _ in range(5)))
    collector, left = GarbageCollector(database, store, AT_ONCE), []
    for _ in range(6):
        collector.run()
        left.append(len(kept(store)))
    assert left == [5, 5, 5, 3, 1, 0], "what is removed was seen before"


def test_a_database_judges_nothing_older_than_itself(database: Database, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    before = put(store, tmp_path, f"datasets/{new_id('put')}", f"jobs/{new_id('job')}/origin/weights")
    collector = GarbageCollector(database, store, AT_ONCE)
    for _ in range(2):
        collector.run()
    assert kept(store) == sorted(before), "there is no key yet: it is as empty as any other new database"
    with database.writing() as tx:
        a_key(tx)
    put(store, tmp_path, f"datasets/{new_id('put')}")
    for _ in range(2):
        collector.run()
    assert kept(store) == sorted(before)


def test_two_at_once_do_not_stumble(database: Database, store: Store, tmp_path: Path) -> None:
    gone = new_id("job")
    put(store, tmp_path, *(f"jobs/{gone}/a1/step-{step}/weights" for step in range(40)))
    errors: list[BaseException] = []

    def look(collector: GarbageCollector) -> None:
        try:
            collector.run()
        except BaseException as error:
            errors.append(error)

    both = [GarbageCollector(database, store, AT_ONCE) for _ in range(2)]
    for _ in range(2):
        threads = [threading.Thread(target=look, args=(collector,)) for collector in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (errors, kept(store)) == ([], [])


def test_an_end_is_not_kept_waiting(database: Database, store: Store, tmp_path: Path) -> None:
    orphan = put(store, tmp_path, f"datasets/{new_id('put')}")
    ending = threading.Event()
    ending.set()
    collector = GarbageCollector(database, store, AT_ONCE, ending)
    collector.run()
    collector.run()
    assert kept(store) == orphan


def test_a_worker_looks_now_and_then(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_trainer(_: Slot) -> None:
        """None is needed here, and starting one takes seconds."""

    monkeypatch.setattr(Slot, "warm", no_trainer)
    timing = Timing(orphan=0.0, inventory=0.1)
    worker = Worker(Settings(data=tmp_path, database_url=migrated_url, timing=timing), "local", 1)
    with worker.database.writing() as tx:
        a_key(tx)
    put(worker.store, tmp_path, f"datasets/{new_id('put')}")
    worker.open()
    try:
        deadline = time.monotonic() + 20
        while kept(worker.store) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert kept(worker.store) == []
    finally:
        worker.close()
