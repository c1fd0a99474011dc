"""What a supervisor makes of silence; of everything else, in real processes, test_recovery.py."""

import queue
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from models.records import attempts, datasets, jobs
from models.records.database import Database
from models.settings import Settings, Timing
from models.storage.folder import FolderStore
from tests.api import kit
from tests.factories import LEASE, a_submission, a_worker
from worker.process import Exit, TrainerProcess
from worker.supervisor import Stalled, Supervisor


class Inbox(queue.Queue[Any]):
    """Hours may pass, or the process stand still for an hour, while nothing is in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, empty: int, stands_still: float) -> None:
        super().__init__()
        self.left, self.ahead, self.stands_still = empty, 0.0, stands_still
        monotonic = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + self.ahead)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not self.left:
            return Exit(0)
        self.left -= 1
        self.ahead += self.stands_still or timeout or 0.0
        raise queue.Empty


def supervisor(database: Database, folder: Path, inbox: Inbox) -> Supervisor:
    with database.writing() as tx:
        jobs.submit(tx, a_submission(tx))
        claim = jobs.claim(tx, a_worker(tx), ["auto"], LEASE)
    assert claim is not None
    claim.spec.update(checkpoints={}, resources={"max_seconds": 10**9})
    trainer = cast(TrainerProcess, SimpleNamespace(inbox=inbox))
    timing = Timing(start=100.0, flush=1.0)
    settings = Settings(data=folder, timing=timing)
    return Supervisor(database, FolderStore(folder / "store"), settings, claim, trainer, lambda: False)


def test_a_trainer_that_says_nothing_for_too_long_is_given_up(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supervisor(database, tmp_path, Inbox(monkeypatch, 99, 0.0))._follow() == 0
    with pytest.raises(Stalled):
        supervisor(database, tmp_path, Inbox(monkeypatch, 102, 0.0))._follow()


def test_an_hour_in_which_all_stood_still_is_no_silence(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supervisor(database, tmp_path, Inbox(monkeypatch, 3, 3600.0))._follow() == 0


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
