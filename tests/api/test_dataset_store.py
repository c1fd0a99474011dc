"""A dataset's rows in the store: lost, damaged, put back, and a disk that is full or not there."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import builtin
from api.dataset_store import has_rows
from api.deps import Service
from athanor.processes import full_disk
from models.data import intake
from models.data.intake import process as reading
from models.records import datasets
from models.serving.exports import process as exports
from models.settings import Timing
from tests.api import kit
from tests.api.conftest import Ended
from tests.api.kit import Installation

CSV = b"length,kind\n" + b"".join(b"%d,%s\n" % (n, b"ab"[n % 2 : n % 2 + 1]) for n in range(40))
FILE = {"file": ("leaves.csv", CSV)}


def put_away(house: Installation) -> list[Path]:
    """Where the rows of every dataset lie."""
    return [*(house.settings.data / "store").rglob("put_*")]


def submit(client: httpx.Client, dataset: dict[str, Any]) -> str:
    """The id of a small job that waits to learn from a dataset."""
    spec = {"architecture": {"kind": "linear"}, "dataset": {"id": dataset["id"]}, "hyperparameters": {"steps": 2}}
    answer = client.post("/v1/jobs", json=spec)
    assert answer.status_code == 201, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def same_length(path: Path) -> None:
    """Damage of which the length of the file tells nothing."""
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("damage", [Path.unlink, same_length])
def test_rows_that_the_store_lost_are_no_lesson_and_can_be_put_back(
    house: Installation, client: httpx.Client, damage: Callable[[Path], object]
) -> None:
    dataset = kit.upload(client, "leaves.csv", CSV)
    (stored,) = put_away(house)
    damage(stored)
    seen = kit.problem(client.get(f"/v1/datasets/{dataset['id']}/preview"), 409, "corrupt_dataset")
    assert "upload the same file again" in seen["detail"]
    failed = submit(client, dataset)
    kit.train(house.settings)
    job = client.get(f"/v1/jobs/{failed}").json()
    assert (job["state"], job["error"]["code"], job["attempt"]) == ("failed", "data", 1)
    assert (
        "upload the file again" in job["error"]["message"] and str(house.settings.data) not in job["error"]["message"]
    )
    again = client.post("/v1/datasets", files=FILE)
    assert (again.status_code, again.json()) == (200, dataset)
    (put_back,) = put_away(house)
    assert put_back != stored
    assert client.get(f"/v1/datasets/{dataset['id']}/preview").status_code == 200
    whole = submit(client, dataset)
    kit.train(house.settings)
    assert client.get(f"/v1/jobs/{whole}").json()["state"] == "succeeded"


def test_a_store_whose_disk_is_not_there_ends_no_job(house: Installation, client: httpx.Client) -> None:
    dataset, other = kit.upload(client, "leaves.csv", CSV), kit.upload(client, "others.csv", CSV + b"41,b\n")
    job_id = submit(client, dataset)
    store = house.settings.data / "store"
    store.rename(house.settings.data / "unmounted")
    store.mkdir()
    soon = house.settings.model_copy(update={"timing": Timing(no_room=0.5)})
    kit.train(soon)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["attempt"]) == ("queued", 1)
    assert "is its disk mounted?" in client.get(f"/v1/jobs/{job_id}/events").text
    kit.problem(client.get(f"/v1/datasets/{dataset['id']}/preview"), 507, "storage_full")
    kit.problem(client.post("/v1/datasets", files={"file": ("more.csv", CSV + b"40,a\n")}), 507, "storage_full")
    assert client.get("/readyz").status_code == 503
    unused = house.settings.data / "unmounted" / "datasets"
    assert client.delete(f"/v1/datasets/{other['id']}").status_code == 204
    assert len([*unused.iterdir()]) == 2, "what nobody names any more is removed by a worker, another day"
    store.rmdir()
    (house.settings.data / "unmounted").rename(store)
    time.sleep(0.5)
    kit.train(soon)
    assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "succeeded"


def test_rows_that_are_put_back_while_a_job_looks_for_them(
    house: Installation, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submit(client, kit.upload(client, "leaves.csv", CSV))
    blob_of, stale = datasets.blob_of, [datasets.Blob("datasets/put_before", None)]
    monkeypatch.setattr(datasets, "blob_of", lambda *asked: stale.pop() if stale else blob_of(*asked))
    kit.train(house.settings)
    assert not stale and client.get(f"/v1/jobs/{job_id}").json()["state"] == "succeeded"


def test_a_built_in_set_that_the_store_lost_is_written_down_again(house: Installation, client: httpx.Client) -> None:
    before = client.get("/v1/datasets/iris/preview").json()
    (stored,) = put_away(house)
    stored.write_bytes(b"?")
    assert client.get("/v1/datasets/iris/preview").json() == before
    (again,) = put_away(house)
    assert again != stored


def test_a_built_in_set_of_the_right_length_that_is_damaged_is_written_down_again_when_it_is_read(
    house: Installation, client: httpx.Client
) -> None:
    before = client.get("/v1/datasets/iris/preview").json()
    same_length(*put_away(house))
    answer = client.get("/v1/datasets/iris/preview")
    assert (answer.status_code, answer.json()) == (200, before)
    assert len(put_away(house)) == 1


def test_a_built_in_set_that_a_worker_found_damaged_is_written_down_again_at_once(
    house: Installation, client: httpx.Client
) -> None:
    failed = submit(client, {"id": "iris"})
    same_length(*put_away(house))
    kit.train(house.settings)
    job = client.get(f"/v1/jobs/{failed}").json()
    assert (job["state"], job["error"]["code"]) == ("failed", "data")
    again = submit(client, {"id": "iris"})
    kit.train(house.settings)
    assert client.get(f"/v1/jobs/{again}").json()["state"] == "succeeded"


def test_a_built_in_set_that_is_damaged_hinders_no_export(ended: Ended, after: Installation) -> None:
    same_length(*put_away(after))
    with after.client() as client:
        answer = client.get(f"/v1/jobs/{ended.job_id}/checkpoints/last/export?format=bundle")
    assert answer.status_code == 200, answer.text


def test_a_built_in_set_is_hashed_once_in_a_while(
    house: Installation, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/v1/datasets/iris")
    hashed: list[str] = []

    def whole(service: Service, name: str) -> bool:
        hashed.append(name)
        return has_rows(service, name)

    monkeypatch.setattr("api.builtin.has_rows", whole)
    for _ in range(3):
        client.get("/v1/datasets/iris")
        kit.submit(client)
    assert hashed == ["iris"]
    monkeypatch.setattr(builtin, "HASH_AGAIN", 0.0)
    client.get("/v1/datasets/iris")
    assert hashed == ["iris", "iris"]


def test_lost_rows_that_are_read_otherwise_by_now(
    house: Installation, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = kit.upload(client, "leaves.csv", CSV)
    put_away(house)[0].unlink()
    with monkeypatch.context() as changed:
        run = intake.run
        changed.setattr(intake, "run", lambda *given, **named: replace(run(*given, **named), rows=4))
        problem = kit.problem(client.post("/v1/datasets", files=FILE), 409, "other_schema")
    assert dataset["id"] in problem["detail"]
    assert client.delete(f"/v1/datasets/{dataset['id']}").status_code == 204
    assert client.post("/v1/datasets", files=FILE).status_code == 201


def test_a_dataset_that_is_deleted_while_its_rows_are_put_back(
    house: Installation, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = kit.upload(client, "leaves.csv", CSV)
    put_away(house)[0].unlink()
    run = intake.run

    def slow(*given: Any, **named: Any) -> intake.Intake:
        assert client.delete(f"/v1/datasets/{dataset['id']}").status_code == 204
        return run(*given, **named)

    monkeypatch.setattr(intake, "run", slow)
    answer = client.post("/v1/datasets", files=FILE)
    assert answer.status_code == 201 and answer.json()["id"] != dataset["id"]
    assert len(put_away(house)) == 1


def test_a_child_that_finds_no_room(
    ended: Ended, after: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = tmp_path / "child"
    child.write_text(f"#!/bin/sh\nexit {full_disk.EXIT}\n")
    child.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(child))
    # A fork of a process that runs already needs no executable.
    monkeypatch.setattr(exports, "PARENT", None)
    monkeypatch.setattr(reading, "PARENT", None)
    with after.client() as client:
        kit.problem(client.post("/v1/datasets", files={"file": ("more.csv", CSV + b"40,a\n")}), 507, "storage_full")
        export = client.get(f"/v1/jobs/{ended.job_id}/checkpoints/last/export?format=bundle")
    kit.problem(export, 507, "storage_full")
