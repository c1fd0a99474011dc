"""What a fork costs and what becomes of its spec: a plan reads little, and a patch is of what was said."""

import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.patches import merge
from athanor.contract import MAX_BATCH
from models.storage.folder import FolderStore
from tests.api import kit
from tests.api.conftest import Ended
from tests.api.kit import Installation


@pytest.fixture
def house(after: Installation) -> Installation:
    return after


@pytest.fixture
def parent(ended: Ended) -> str:
    """The id of a job to fork."""
    return ended.job_id


def fork(client: httpx.Client, job_id: str, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"/v1/jobs/{job_id}/fork", json={"spec": {"hyperparameters": hyperparameters}})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_plan_reads_the_header_of_the_weights_alone(
    parent: str, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, fetched = FolderStore.read, 0

    def counting(store: FolderStore, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        nonlocal fetched
        for piece in read(store, key, start, stop):
            fetched += len(piece) if key.endswith("weights.safetensors") else 0
            yield piece

    path, plan = f"/v1/jobs/{parent}/fork", {"validate_only": True}
    monkeypatch.setattr(FolderStore, "read", counting)
    planned = client.post(path, params=plan, json={})
    assert planned.status_code == 200, planned.text
    best = client.get(f"/v1/jobs/{parent}/checkpoints/best").json()
    numbers = 4 * sum(math.prod(shape) for shape in planned.json()["shapes"].values())
    (whole,) = (file["bytes"] for file in best["files"] if file["name"] == "weights.safetensors")
    assert 0 < fetched <= whole - numbers
    wider = {"spec": {"architecture": {"kind": "mlp"}}}
    told = kit.fault(client.post(path, params=plan, json=wider), "/spec/architecture", "wrong_shape")
    assert told == kit.fault(client.post(path, json=wider), "/spec/architecture", "wrong_shape")


@pytest.mark.parametrize("damage", ["cut", "blank", "gone"])
def test_a_broken_checkpoint_is_no_start(damage: str, parent: str, house: Installation, client: httpx.Client) -> None:
    best = client.get(f"/v1/jobs/{parent}/checkpoints/best").json()
    (file,) = house.settings.data.glob(f"store/jobs/{parent}/*/step-{best['step']}/weights.safetensors")
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[:-1], "blank": bytes(len(whole)), "gone": b""}[damage])
    if damage == "gone":
        file.unlink()
    for plan in (True, False):
        answer = client.post(f"/v1/jobs/{parent}/fork", params={"validate_only": plan}, json={})
        kit.problem(answer, 409, "corrupt_checkpoint")


def test_a_fork_patches_what_was_said_and_the_rest_follows_anew(
    parent: str, house: Installation, client: httpx.Client
) -> None:
    before = client.get(f"/v1/jobs/{parent}").json()
    assert before["submitted"]["architecture"] == {"kind": "linear"}
    assert "optimizer" not in before["submitted"]["hyperparameters"] and before["spec"]["hyperparameters"]["optimizer"]
    change = {"optimizer": {"kind": "gd", "lr": 0.1}}
    job = fork(client, parent, change)
    assert job["submitted"] == merge(before["submitted"], {"hyperparameters": change})
    # All rows at once, which is the optimizer's own doing; with another one it is no more.
    assert job["spec"]["hyperparameters"]["batch_size"] == MAX_BATCH
    kit.train(house.settings)
    again = fork(client, job["id"], {"optimizer": {"kind": "adam"}})
    assert again["spec"]["hyperparameters"]["batch_size"] == before["spec"]["hyperparameters"]["batch_size"]


def test_a_plan_warns_of_what_would_pass_unnoticed(parent: str, client: httpx.Client) -> None:
    """A test with rows that the parent knows, and a batch size that is not used."""

    def warnings(path: str, body: dict[str, Any]) -> list[str]:
        answer = client.post(path, params={"validate_only": True}, json=body)
        assert answer.status_code == 200, answer.text
        return [each["code"] for each in answer.json()["warnings"] if each["code"] not in ("no_worker", "no_device")]

    path = f"/v1/jobs/{parent}/fork"
    assert warnings(path, {}) == []
    assert warnings(path, {"spec": {"hyperparameters": {"epochs": 9}}}) == []
    for split in ({"seed": 4}, {"kind": "holdout", "test": 0.5}):
        changed = {"spec": {"dataset": {"split": split}}}
        assert warnings(path, changed) == ["leak"]
        # The job says it too, to those who made no plan.
        forked = client.post(path, json=changed).json()["id"]
        events = client.get(f"/v1/jobs/{forked}/events").json()["data"]
        (told,) = [each["data"]["message"] for each in events if each["kind"] == "warning"]
        assert told.startswith("the split is not the parent's")
    gd = {"optimizer": {"kind": "gd", "lr": 0.1}}
    spec = kit.spec("linear", "iris", hyperparameters=gd)
    assert warnings("/v1/jobs", spec) == []
    assert warnings("/v1/jobs", kit.spec("linear", "iris", hyperparameters={**gd, "batch_size": 16})) == ["unused"]
