"""What a trainer says, before it becomes rows: nothing of it is believed."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from athanor.contract import CheckpointPolicy
from athanor.files import FILES
from models.records import checkpoints, events, jobs, metrics
from models.records.database import Database
from models.settings import Limits, Settings
from models.storage.folder import FolderStore
from tests.factories import LEASE, a_submission, a_worker
from worker.messages import PointBatch, ProtocolError, Snapshot, SnapshotFile, snapshot_folder
from worker.supervision.report import Report


@pytest.fixture
def claim(database: Database) -> jobs.Claim:
    """Of a job that runs."""
    with database.writing() as tx:
        jobs.submit(tx, a_submission(tx))
        claim = jobs.claim(tx, a_worker(tx), ["auto"], LEASE)
        assert claim is not None
        jobs.begin(tx, claim.job_id, claim.attempt, [(1, None)], "cpu", {})
    return claim


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


@pytest.fixture
def report(database: Database, store: FolderStore, claim: jobs.Claim, tmp_path: Path) -> Report:
    folder = tmp_path / "a1" / "trainer"
    folder.mkdir(parents=True)
    return Report(database, store, Settings(data=tmp_path), claim, CheckpointPolicy(mode="min"), folder)


def snapshot(report: Report, step: int, member: int | None = None) -> Snapshot:
    """Files in the trainer's folder, and what a trainer says of them."""
    folder = report.trainer_folder / snapshot_folder(step, member)
    folder.mkdir()
    files = []
    for name in FILES:
        data = f"{name} at {step}".encode()
        (folder / name).write_bytes(data)
        files.append(SnapshotFile(name=name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()))
    return Snapshot(type="checkpoint", step=step, epoch=1.0, reason="cadence", score=None, member=member, files=files)


def test_a_snapshot_becomes_a_checkpoint(report: Report, store: FolderStore, database: Database) -> None:
    report.checkpoint(snapshot(report, 10))
    with database.reading() as tx:
        newest = checkpoints.newest(tx, report.job_id)
    assert newest is not None and newest.step == 10
    assert b"".join(store.read(newest.key(FILES[0]))) == f"{FILES[0]} at 10".encode()
    assert list(report.trainer_folder.parent.iterdir()) == [report.trainer_folder]


def test_a_link_to_a_secret_is_not_published(report: Report, store: FolderStore, tmp_path: Path) -> None:
    secret = tmp_path / "admin.key"
    secret.write_text("ath_secret")
    told = snapshot(report, 10)
    weights = report.trainer_folder / "step-10" / FILES[0]
    weights.unlink()
    weights.symlink_to(secret)
    stolen = SnapshotFile(name=FILES[0], bytes=10, sha256=hashlib.sha256(secret.read_bytes()).hexdigest())
    told = told.model_copy(update={"files": [stolen, *told.files[1:]]})
    with pytest.raises(ProtocolError, match="is not a regular file"):
        report.checkpoint(told)
    assert store.keys("jobs") == []


def test_a_folder_that_is_a_link_is_not_taken(report: Report, store: FolderStore, tmp_path: Path) -> None:
    told = snapshot(report, 10)
    (report.trainer_folder / "step-10").rename(tmp_path / "elsewhere")
    (report.trainer_folder / "step-10").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProtocolError, match="not a snapshot"):
        report.checkpoint(told)
    assert store.keys("jobs") == []


@pytest.mark.parametrize("names", [FILES[:3], (*FILES[:3], "../../../admin.key"), (*FILES, "more"), (*FILES, FILES[0])])
def test_only_the_files_of_a_snapshot_are_taken(names: tuple[str, ...], report: Report, store: FolderStore) -> None:
    told = snapshot(report, 10)
    told = told.model_copy(update={"files": [SnapshotFile(name=name, bytes=1, sha256="0" * 64) for name in names]})
    with pytest.raises(ProtocolError, match="not a snapshot"):
        report.checkpoint(told)
    assert store.keys("jobs") == []


def test_other_bytes_than_announced_are_not_taken(report: Report, store: FolderStore) -> None:
    told = snapshot(report, 10)
    (report.trainer_folder / "step-10" / FILES[1]).write_bytes(b"something else")
    with pytest.raises(ProtocolError, match="differs from the digest or the size"):
        report.checkpoint(told)
    assert store.keys("jobs") == []


def test_what_nobody_committed_goes_and_a_later_attempt_s_stays(report: Report, store: FolderStore) -> None:
    report.checkpoint(snapshot(report, 10))
    source = report.trainer_folder / "file"
    source.write_bytes(b"x")
    job = f"jobs/{report.job_id}"
    for orphan in ("a0/step-5", "a1/step-20", "a1/step-20-member-2", "a2/step-30", "origin"):
        store.put(f"{job}/{orphan}/{FILES[0]}", source)
    for stray in (".DS_Store", "a1/.DS_Store", "a1/other/.DS_Store"):
        store.put(f"{job}/{stray}", source)
    report.clear()
    kept = {key.rpartition("/")[0] for key in store.keys(job) if not key.endswith(".DS_Store")}
    assert kept == {f"{job}/a1/step-10", f"{job}/a2/step-30", f"{job}/origin"}
    assert {f"{job}/a1/step-10/{name}" for name in FILES} <= set(store.keys(job))


def test_an_attempt_that_is_fenced_off_commits_nothing(report: Report, database: Database) -> None:
    told = snapshot(report, 10)
    with database.writing() as tx:
        jobs.release(tx, report.job_id, 1)
    with pytest.raises(jobs.LeaseLost):
        report.checkpoint(told)
    with database.reading() as tx:
        assert checkpoints.newest(tx, report.job_id) is None


def points(*steps: int, name: str = "train/loss", member: int | None = None) -> PointBatch:
    columns = (list(steps), [0.5] * len(steps), [1.0] * len(steps))
    return PointBatch(type="points", member=member, step=max(steps), epoch=1.0, eta=0.0, series={name: columns})


def test_members_have_series_and_checkpoints_of_the_same_step(
    report: Report, store: FolderStore, database: Database
) -> None:
    for member in (1, 2):
        report.points(points(1, 2, member=member))
        report.checkpoint(snapshot(report, 2, member))
    report.points(points(1))
    report.flush()
    report.clear()
    with database.reading() as tx:
        series = metrics.read(tx, report.job_id, None, None, None).series
        kept = [(one.step, one.fold) for one in checkpoints.page(tx, report.job_id, None, 9)[0]]
    assert {name: each.steps for name, each in series.items()} == {
        "folds/1/train/loss": [1, 2],
        "folds/2/train/loss": [1, 2],
        "train/loss": [1],
    }
    assert kept == [(2, 1), (2, 2)]
    job = f"jobs/{report.job_id}"
    assert {key.rpartition("/")[0] for key in store.keys(job)} == {f"{job}/a1/step-2-member-{one}" for one in (1, 2)}


def test_a_series_does_not_go_back(report: Report, database: Database) -> None:
    report.points(points(1, 2, 3))
    report.points(points(4))
    with pytest.raises(ProtocolError, match="goes back"):
        report.points(points(4))
    report.flush()
    with database.reading() as tx:
        assert metrics.read(tx, report.job_id, None, None, None).series["train/loss"].steps == [1, 2, 3, 4]


def test_there_is_a_last_series(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.supervision.report.MOST_SERIES", 3)
    for number in range(3):
        report.points(points(1, name=f"series/{number}"))
    with pytest.raises(ProtocolError, match="too many"):
        report.points(points(1, name="one more"))


def test_a_commit_whose_answer_is_lost_doubles_no_line(
    report: Report, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = database.writing

    @contextmanager
    def deaf() -> Iterator[Session]:
        with writing() as tx:
            yield tx
        raise OperationalError("COMMIT", {}, ConnectionError("the server closed the connection"))

    report.line("one")
    with monkeypatch.context() as once:
        once.setattr(database, "writing", deaf)
        with pytest.raises(OperationalError):
            report.flush()
    report.line("two")
    report.flush()
    report.line("three")
    report.flush()
    with database.reading() as tx:
        assert events.log_lines(tx, report.job_id) == ["one", "two", "three"]


def test_of_a_trainer_that_talks_too_much_the_first_lines_are_kept(
    database: Database, store: FolderStore, claim: jobs.Claim, tmp_path: Path
) -> None:
    limited = Settings(data=tmp_path, limits=Limits(max_log_lines=4))
    for attempt in range(2):
        report = Report(database, store, limited, claim, CheckpointPolicy(mode="min"), tmp_path)
        for part in range(3):
            report.line(f"{attempt}.{part}")
            report.flush()
    with database.reading() as tx:
        assert events.log_lines(tx, claim.job_id) == [
            "0.0",
            "0.1",
            "0.2",
            "… the log is full",
        ]
