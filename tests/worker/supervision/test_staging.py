"""What a trainer is told; of files that are lost or damaged, see tests/worker/test_recovery.py."""

from pathlib import Path
from typing import Any

import pytest

from athanor.contract import CheckpointPolicy
from models.records import jobs
from models.records.database import Database
from models.settings import Settings
from models.storage.folder import FolderStore
from tests.factories import LEASE, a_submission, a_worker
from worker.supervision.staging import Staging


def staging(database: Database, folder: Path, resources: dict[str, Any], processors: int) -> Staging:
    with database.writing() as tx:
        jobs.submit(tx, a_submission(tx))
        claim = jobs.claim(tx, a_worker(tx), ["auto"], LEASE)
    assert claim is not None
    claim.resolved["spec"].update(resources=resources)
    store, policy = FolderStore(folder / "store"), CheckpointPolicy(mode="min")
    return Staging(database, store, Settings(data=folder), claim, policy, folder, processors)


@pytest.mark.parametrize(
    ("resources", "processors", "threads"),
    [
        ({"threads": "auto", "data_workers": 0}, 4, None),
        ({"threads": 3, "data_workers": 8}, 2, 3),
        # A job of an earlier version.
        ({"data_workers": 0}, 4, 1),
    ],
)
def test_threads_of_a_first_attempt(
    resources: dict[str, Any], processors: int, threads: int | None, database: Database, tmp_path: Path
) -> None:
    assert staging(database, tmp_path, resources, processors)._threads() == threads


def test_later_attempts_keep_the_threads_of_the_first(database: Database, tmp_path: Path) -> None:
    first = staging(database, tmp_path, {"threads": "auto", "data_workers": 0}, 2)
    with database.writing() as tx:
        jobs.begin(tx, first.claim.job_id, first.claim.attempt, [], "cpu", {"torch": "2"})
        assert first._threads() is None
        first.settle_threads(tx, 2)
    elsewhere = Staging(database, first.store, first.settings, first.claim, first.policy, tmp_path, 16)
    assert elsewhere._threads() == 2


def test_an_equal_training_takes_what_was_found_for_the_first(database: Database, tmp_path: Path) -> None:
    resources = {"threads": "auto", "data_workers": 0}
    first = staging(database, tmp_path, resources, 4)
    spec = first.claim.resolved["spec"]
    first.keep_threads(3)
    # A trial that ended later does not change it.
    first.keep_threads(4)
    assert staging(database, tmp_path, resources, 4).thread_choices.of(spec, 4) == 3
    assert first.thread_choices.of(spec, 2) is None
    assert first.thread_choices.of(spec | {"architecture": {"kind": "cnn"}}, 4) is None
    hyperparameters = spec["hyperparameters"] | {"seed": 7, "epochs": 99}
    assert first.thread_choices.of(spec | {"hyperparameters": hyperparameters}, 4) == 3
    (kept,) = (tmp_path / "threads").iterdir()
    kept.write_text("")
    first.keep_threads(2)
    assert first.thread_choices.of(spec, 4) == 2


def test_without_a_place_to_keep_it_the_attempt_goes_on(database: Database, tmp_path: Path) -> None:
    (tmp_path / "threads").write_text("no folder")
    staging(database, tmp_path, {"threads": "auto", "data_workers": 0}, 4).keep_threads(3)
