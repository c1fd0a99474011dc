"""What a supervisor makes of silence; of everything else, in real processes, test_recovery.py."""

import queue
import time
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models.records import attempts, datasets, jobs
from models.records.database import Database
from models.records.tables import Job
from models.settings import Settings, Timing
from models.storage.folder import FolderStore
from tests.api import kit
from tests.factories import LEASE, a_submission, a_worker, expire_lease
from tests.rows import job_row, moves
from worker.messages import Failure, Snapshot
from worker.supervision.staging import Staged
from worker.supervision.supervisor import Stalled, Supervisor
from worker.supervision.trainer_process import Exit, TrainerProcess


class Inbox(queue.Queue[Any]):
    """Snapshots, and then nothing so often; hours may pass meanwhile, or the process stand still for an hour."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        empty: int,
        stands_still: float = 0.0,
        snapshots: int = 0,
        lasts: float = 0.0,
    ) -> None:
        super().__init__()
        self.left, self.ahead, self.stands_still, self.snapshots = empty, 0.0, stands_still, snapshots
        self.lasts = lasts
        monotonic = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + self.ahead)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if self.snapshots:
            self.snapshots -= 1
            return Snapshot(type="checkpoint", step=1, epoch=1.0, reason="cadence", score=None, files=[])
        if not self.left:
            return Exit(0)
        self.left -= 1
        time.sleep(self.lasts)
        self.ahead += self.stands_still or timeout or 0.0
        raise queue.Empty


def supervisor(
    database: Database, folder: Path, inbox: Inbox, draining: bool = False, heartbeat: float = 5.0
) -> Supervisor:
    with database.writing() as tx:
        jobs.submit(tx, a_submission(tx))
        claim = jobs.claim(tx, a_worker(tx), ["auto"], LEASE)
    assert claim is not None
    claim.resolved["spec"].update(checkpoints={"mode": "min"}, resources={"max_seconds": 10**9})
    trainer = cast(TrainerProcess, Mock(inbox=inbox))
    timing = Timing(start=100.0, flush=1.0, stop_grace=30.0, heartbeat=heartbeat)
    settings = Settings(data=folder, timing=timing)
    return Supervisor(database, FolderStore(folder / "store"), settings, claim, trainer, lambda: draining)


def test_a_trainer_that_says_nothing_for_too_long_is_given_up(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supervisor(database, tmp_path, Inbox(monkeypatch, 99))._follow() == 0
    with pytest.raises(Stalled):
        supervisor(database, tmp_path, Inbox(monkeypatch, 102))._follow()


def test_an_hour_in_which_all_stood_still_is_no_silence(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supervisor(database, tmp_path, Inbox(monkeypatch, 3, 3600.0))._follow() == 0


@pytest.mark.parametrize(("seconds", "killed"), [(29, False), (32, True)])
def test_a_trainer_that_does_not_stop_in_time_is_killed(
    seconds: int, killed: bool, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = supervisor(database, tmp_path, Inbox(monkeypatch, seconds), draining=True)
    stopped._follow()
    assert cast(Mock, stopped.trainer).kill.called == killed


def test_the_time_it_takes_to_store_a_snapshot_is_none_of_its_trainers(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox(monkeypatch, 3, 3600.0, snapshots=5)

    def store(snapshot: Snapshot) -> None:
        inbox.ahead += 60.0

    stopped = supervisor(database, tmp_path, inbox, draining=True)
    monkeypatch.setattr(stopped.report, "checkpoint", store)
    stopped._follow()
    trainer = cast(Mock, stopped.trainer)
    trainer.send.assert_called_once_with({"type": "stop", "why": "drain"})
    trainer.kill.assert_not_called()


def test_a_worker_that_hears_of_another_holder_ends_its_trainer(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox(monkeypatch, 90, lasts=0.05)
    zombie = supervisor(database, tmp_path, inbox, heartbeat=0.01)
    job_id = zombie.claim.job_id
    monkeypatch.setattr(zombie.staging, "stage", lambda _: Staged({}, 0, None))
    # With nothing to write, only the heartbeat can hear of it.
    monkeypatch.setattr(zombie.milestones, "staged", lambda *_: None)
    with database.writing() as tx:
        expire_lease(tx, job_id=job_id)
        assert jobs.reap(tx) == [job_id]
        before = moves(tx, job_id)
    zombie.run()
    assert inbox.left, "it did not wait for the trainer's own end"
    cast(Mock, zombie.trainer).close.assert_called_once()
    with database.reading() as tx:
        assert moves(tx, job_id) == before


def test_a_database_that_stays_away_is_not_held_against_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("SELECT secret FROM jobs", {}, ConnectionError("no route to 10.0.0.7"))

    monkeypatch.setattr("worker.supervision.database_retry.LONGEST_OUTAGE", 0.0)
    monkeypatch.setattr(attempts, "seconds_spent", away)
    with kit.installation(tmp_path) as house, house.client() as client:
        job_id = kit.submit(client, kit.spec("linear"))
        kit.train(house.settings)
        job = client.get(f"/v1/jobs/{job_id}").json()
        with house.database.reading() as tx:
            assert job_row(tx, job_id).no_progress_losses == 0
    assert job["state"] == "queued"
    assert job["transitions"][-1]["reason"] == "the database was unavailable for too long"


def test_a_fork_whose_start_the_store_has_lost_fails_and_says_so(tmp_path: Path) -> None:
    with kit.installation(tmp_path) as house, house.client() as client:
        parent = kit.submit(client, kit.spec("linear"))
        kit.train(house.settings)
        fork = client.post(f"/v1/jobs/{parent}/fork", json={}).json()["id"]
        (weights,) = house.settings.data.glob(f"store/jobs/{fork}/origin/weights.safetensors")
        weights.unlink()
        kit.train(house.settings)
        job = client.get(f"/v1/jobs/{fork}").json()
    assert (job["state"], job["attempt"], job["error"]["code"]) == ("failed", 1, "data")
    assert "starts from" in job["error"]["message"]


def test_a_database_that_goes_as_an_attempt_begins_costs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[list[OperationalError]] = []

    def once(of: Any, name: str) -> None:
        ask, left = getattr(of, name), [OperationalError("SELECT", {}, ConnectionError("the server went away"))]

        planned.append(left)

        def asked(*given: Any) -> Any:
            if left:
                raise left.pop()
            return ask(*given)

        monkeypatch.setattr(of, name, asked)

    with kit.installation(tmp_path) as house, house.client() as client:
        job_id = client.post("/v1/jobs", json=kit.spec("linear")).json()["id"]
        for of, name in ((attempts, "seconds_spent"), (datasets, "get"), (datasets, "blob_of")):
            once(of, name)
        kit.train(house.settings)
        job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["attempt"]) == ("succeeded", 1)
    assert planned == [[], [], []]


def test_a_job_with_a_part_that_a_worker_does_not_know_waits_for_one_that_does(tmp_path: Path) -> None:
    with kit.installation(tmp_path) as house, house.client() as client:
        job_id = client.post("/v1/jobs", json=kit.spec("linear")).json()["id"]
        with house.database.writing() as tx:
            known = job_row(tx, job_id).resolved
            assert known is not None
            newer = known["spec"] | {"architecture": {"kind": "of_the_future"}}
            _write_resolved(tx, job_id, known | {"spec": newer})
        kit.train(house.settings)
        job = client.get(f"/v1/jobs/{job_id}").json()
        assert (job["state"], job["attempt"], job["error"]) == ("queued", 1, None)
        assert (job["failures"], job["preemptions"], job["worker_lost"]) == (0, 0, 0)
        reason = job["transitions"][-1]["reason"]
        assert reason.startswith("unknown_part: this worker runs version ") and "of_the_future" in reason
        with house.database.writing() as tx:
            assert job_row(tx, job_id).no_progress_losses == 0
            _write_resolved(tx, job_id, known)
        # As another worker, of a newer version, would read it: it need not wait.
        kit.train(house.settings)
        job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["attempt"]) == ("succeeded", 2)


def _write_resolved(tx: Session, job_id: str, resolved: dict[str, Any]) -> None:
    tx.execute(update(Job).where(Job.id == job_id).values(resolved=resolved))


@pytest.mark.parametrize(("began", "state", "losses"), [(None, "queued", 0), (1.0, "queued", 1)])
def test_a_trainer_that_understood_its_spec_cannot_hand_the_job_back(
    began: float | None, state: str, losses: int, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = supervisor(database, tmp_path, Inbox(monkeypatch, 1))
    said.began = began
    said.verdict = Failure(type="failed", code="unknown_part", message="no such kind", retryable=True)
    said._conclude(1)
    with database.reading() as tx:
        job = job_row(tx, said.claim.job_id)
    assert (job.state, job.no_progress_losses) == (state, losses)
