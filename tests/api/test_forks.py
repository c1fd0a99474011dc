"""Forks: a job from another's checkpoint, what it takes over, what it may change, and what it needs no more."""

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from safetensors.numpy import load
from sklearn.datasets import load_iris

from models.records import checkpoints
from models.storage.folder import FolderStore
from tests.api import kit
from tests.api.conftest import REVIEWS, Ended
from tests.api.kit import Installation

STILL = {"hyperparameters": {"epochs": 1, "optimizer": {"lr": 1e-30}, "schedule": {"kind": "constant"}}}
"""Changes under which the weights stay where they are."""
SHORT = {"hyperparameters": {"epochs": 3}}
TEXTCNN = {"widths": [2, 3], "channels": 4, "embedding": 8}
MOODS = "review,mood\n" + "".join(
    f"{who} {what} was {how},{mood}\n"
    for who in ("this", "my", "every")
    for what in ("film", "dinner", "walk", "evening")
    for how, mood in (("good", "glad"), ("bad", "sad"), ("there", "calm"), ("great", "glad"))
)
"""Another column of text, some of the parent's words and some of its own, three classes."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with kit.installation(tmp_path_factory.mktemp("forks")) as own:
        yield own


@pytest.fixture(scope="module")
def client(house: Installation) -> Iterator[httpx.Client]:
    with house.client() as own:
        yield own


@pytest.fixture(autouse=True)
def none_waits(client: httpx.Client) -> Iterator[None]:
    """What a test leaves queued is not for the next one to train."""
    yield
    for job in client.get("/v1/jobs", params={"state": "queued", "limit": 100}).json()["data"]:
        client.post(f"/v1/jobs/{job['id']}/cancel")


@pytest.fixture(scope="module")
def parents(house: Installation, client: httpx.Client) -> dict[str, str]:
    """Jobs that have ended well, by the kind of their inputs, and one that waits."""
    reviews = kit.upload(client, "reviews.csv", REVIEWS.encode())["id"]
    jobs = {
        "table": kit.submit(client, kit.spec("linear", "iris", **SHORT)),
        "image": kit.submit(client, kit.spec("cnn", "digits", architecture={"channels": [4], "hidden": []}, **SHORT)),
        "text": kit.submit(client, kit.spec("textcnn", reviews, architecture=TEXTCNN, **SHORT)),
        "value": kit.submit(client, kit.spec("linear", "diabetes", **SHORT)),
    }
    kit.train(house.settings)
    for job_id in jobs.values():
        done(client, job_id)
    # Nothing trains it: a `with` that comes later does not see it queued.
    jobs["young"] = kit.submit(client)
    client.post(f"/v1/jobs/{jobs['young']}/pause")
    return jobs


def done(client: httpx.Client, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "succeeded", job["error"]
    return job


def fork(client: httpx.Client, job_id: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/jobs/{job_id}/fork", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{found['id']}"
    return found


def weights(client: httpx.Client, job_id: str, which: str = "best") -> dict[str, bytes]:
    file = client.get(f"/v1/jobs/{job_id}/checkpoints/{which}/weights").content
    return {name: value.tobytes() for name, value in load(file).items()}


def prepared(house: Installation, job_id: str) -> dict[str, Any]:
    """What the job's last checkpoint knows of its data."""
    (newest,) = list(house.settings.data.glob(f"store/jobs/{job_id}/a1/step-*/preparation.json"))[-1:]
    found: dict[str, Any] = json.loads(newest.read_text())
    return found


def values(client: httpx.Client, job_id: str, series: str) -> list[float]:
    found: list[float] = client.get(f"/v1/jobs/{job_id}/metrics").json()["series"][series]["values"]
    return found


def test_forks_start_where_their_parents_were_best(
    parents: dict[str, str], house: Installation, client: httpx.Client
) -> None:
    forks = {}
    for kind in ("table", "image", "text", "value"):
        best = client.get(f"/v1/jobs/{parents[kind]}/checkpoints/best").json()
        # Statistics of a normalization would move even so.
        still = {**STILL["hyperparameters"], "freeze": ["blocks.0"] if kind == "image" else []}
        job = fork(client, parents[kind], spec={"hyperparameters": still})
        origin = {"job_id": parents[kind], "checkpoint_id": best["id"], "step": best["step"], "fresh": []}
        assert (job["origin"], job["progress"]["step"]) == (origin, 0)
        assert job["transitions"][0]["reason"] == f"forked from {parents[kind]} at step {best['step']}"
        forks[kind] = job["id"], best["score"]
    kit.train(house.settings)
    for kind, (job_id, score) in forks.items():
        done(client, job_id)
        assert values(client, job_id, "val/loss") == [pytest.approx(score, rel=1e-6)]
        assert weights(client, job_id) == weights(client, parents[kind])
        assert client.get(f"/v1/jobs/{parents[kind]}").json()["origin"] is None


def test_every_fold_of_a_fork_starts_from_the_parent(
    parents: dict[str, str], house: Installation, client: httpx.Client
) -> None:
    bunch = load_iris()
    rows = [[*sizes, bunch.target_names[at]] for sizes, at in zip(bunch.data, bunch.target, strict=True)]
    flowers = "\n".join(",".join(map(str, row)) for row in [[*bunch.feature_names, "target"], *rows])
    other = kit.upload(client, "flowers.csv", flowers.encode())["id"]
    changes = {**STILL, "dataset": {"id": other, "split": {"kind": "folds", "n": 3}}}
    job = fork(client, parents["table"], spec=changes)
    kit.train(house.settings)
    done(client, job["id"])
    listed = client.get(f"/v1/jobs/{job['id']}/checkpoints").json()["data"]
    assert len({each["fold"] for each in listed}) > 1
    for each in listed:
        assert weights(client, job["id"], each["id"]) == weights(client, parents["table"])


def test_folds_of_rows_that_the_parent_knows_are_refused(
    parents: dict[str, str], house: Installation, client: httpx.Client
) -> None:
    folds = {"split": {"kind": "folds", "n": 2, "val": 0}}
    answer = client.post(f"/v1/jobs/{parents['table']}/fork", json={"spec": {"dataset": folds}})
    told = kit.fault(answer, "/spec/dataset/split", "leak")
    assert told["suggestion"] == "a holdout split, or a job of its own"
    crossed = kit.submit(client, kit.spec("linear", "iris", choice=folds, **SHORT))
    kit.train(house.settings)
    done(client, crossed)
    path = f"/v1/jobs/{crossed}/fork"
    for changes in ({}, {"dataset": {"split": {"n": 3}}}, {"dataset": {"id": "iris", "split": folds["split"]}}):
        kit.fault(client.post(path, json={"spec": changes}), "/spec/dataset/split", "leak")
    assert fork(client, crossed, spec={"dataset": {"split": {"kind": "holdout"}}})["origin"]["job_id"] == crossed


def test_a_parent_without_a_validation_part(parents: dict[str, str], house: Installation, client: httpx.Client) -> None:
    whole = {"split": {"kind": "holdout", "val": 0, "test": 0}}
    parent = kit.submit(client, kit.spec("linear", "iris", choice=whole, **SHORT))
    kit.train(house.settings)
    newest = client.get(f"/v1/jobs/{parent}/checkpoints/last").json()
    job = fork(client, parent)
    assert job["origin"]["checkpoint_id"] == newest["id"]
    assert job["spec"] == client.get(f"/v1/jobs/{parent}").json()["spec"]
    assert client.post("/v1/jobs", json=job["spec"]).status_code == 201


def test_any_checkpoint_can_be_the_start(parents: dict[str, str], client: httpx.Client) -> None:
    listed = client.get(f"/v1/jobs/{parents['table']}/checkpoints").json()["data"]
    for asked, id in [(each["id"], each["id"]) for each in listed] + [("last", listed[-1]["id"])]:
        assert fork(client, parents["table"], checkpoint=asked)["origin"]["checkpoint_id"] == id


def test_the_spec_is_the_parents_with_changes(parents: dict[str, str], client: httpx.Client) -> None:
    before = client.get(f"/v1/jobs/{parents['table']}").json()["spec"]
    changes = {"name": "again", "hyperparameters": {"optimizer": {"lr": 0.5}, "steps": 9}, "tags": {"a": "b"}}
    after = fork(client, parents["table"], spec=changes)
    assert after["spec"]["hyperparameters"].pop("optimizer") == {
        **before["hyperparameters"].pop("optimizer"),
        "lr": 0.5,
    }
    assert after["spec"].pop("hyperparameters") == {**before.pop("hyperparameters"), "epochs": None, "steps": 9}
    assert after["spec"] == {**before, "name": "again", "tags": {"a": "b"}}
    assert after["progress"]["steps"] == 9 and after["tags"] == {"a": "b"}
    sgd = {"hyperparameters": {"optimizer": {"kind": "sgd", "lr": 0.1}}}
    chosen = fork(client, parents["table"], spec=sgd)["spec"]["hyperparameters"]["optimizer"]
    assert (chosen["kind"], chosen["lr"], "beta1" in chosen) == ("sgd", 0.1, False)


def test_frozen_tensors_keep_the_parents_bytes(
    parents: dict[str, str], house: Installation, client: httpx.Client
) -> None:
    changes = {"hyperparameters": {"epochs": 2, "freeze": ["embedding", "convs.0"]}}
    job = fork(client, parents["text"], spec=changes)
    kit.train(house.settings)
    done(client, job["id"])
    before, after = weights(client, parents["text"]), weights(client, job["id"], "last")
    kept = {name for name in before if before[name] == after[name]}
    assert kept == {"embedding.weight", "convs.0.weight", "convs.0.bias"}


def test_words_keep_their_numbers_and_other_classes_get_a_head_of_their_own(
    parents: dict[str, str], house: Installation, client: httpx.Client
) -> None:
    moods = kit.upload(client, "moods.csv", MOODS.encode())["id"]
    job = fork(client, parents["text"], spec={"dataset": {"id": moods}, "hyperparameters": {"freeze": ["embedding"]}})
    assert job["origin"]["fresh"] == ["head.weight", "head.bias"]
    assert (job["spec"]["dataset"]["input"], job["spec"]["dataset"]["target"]) == ("review", "mood")
    kit.train(house.settings)
    done(client, job["id"])
    before, after = prepared(house, parents["text"]), prepared(house, job["id"])
    (old,), (new,) = before["encoder"]["columns"], after["encoder"]["columns"]
    assert new == {**old, "name": "review"}
    assert "dinner" not in new["words"] and "good" in new["words"]
    assert (before["target"]["classes"], after["target"]["classes"]) == (["no", "yes"], ["calm", "glad", "sad"])
    old, new = weights(client, parents["text"]), weights(client, job["id"])
    assert old["embedding.weight"] == new["embedding.weight"]
    assert len(new["head.bias"]) == 3 * 4
    answer = client.post(f"/v1/jobs/{job['id']}/predict", json={"rows": ["my dinner was great"]}).json()
    assert answer["predictions"][0]["probabilities"].keys() == {"calm", "glad", "sad"}


def test_another_task_brings_its_own_loss(parents: dict[str, str], client: httpx.Client) -> None:
    scores = "review,score\n" + "".join(f"film {at} was good,{at + 0.5}\n" for at in range(40))
    changes = {"dataset": {"id": kit.upload(client, "scores.csv", scores.encode())["id"]}}
    path = f"/v1/jobs/{parents['text']}/fork"
    plan = client.post(path, params={"validate_only": True}, json={"spec": changes}).json()
    assert (plan["task"], plan["fresh"]) == ("regression", ["head.weight", "head.bias"])
    assert plan["spec"]["hyperparameters"]["loss"]["kind"] == "mse"
    hinge = {**changes, "hyperparameters": {"loss": {"kind": "hinge"}}}
    kit.fault(client.post(path, json={"spec": hinge}), "/spec/hyperparameters/loss/kind", "wrong_loss")


def test_a_fork_outlives_its_parent(ended: Ended, after: Installation) -> None:
    parent = ended.job_id
    with after.client() as client:
        best = client.get(f"/v1/jobs/{parent}/checkpoints/best").json()
        job = fork(client, parent, spec=STILL)
        assert client.delete(f"/v1/jobs/{parent}").status_code == 204
        kit.train(after.settings)
        assert done(client, job["id"])["origin"]["job_id"] == parent
        assert values(client, job["id"], "val/loss") == [pytest.approx(best["score"], rel=1e-6)]
        # And can be a parent itself.
        assert fork(client, job["id"])["origin"]["job_id"] == job["id"]


def test_a_forks_bytes_go_with_it(parents: dict[str, str], house: Installation, client: httpx.Client) -> None:
    before = house.kept()
    job = fork(client, parents["table"])
    files = {path.name for path in house.kept() - before}
    assert {"weights.safetensors", "preparation.json", "origin"} <= files
    client.post(f"/v1/jobs/{job['id']}/cancel")
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert house.kept() == before


def test_a_plan_keeps_nothing(parents: dict[str, str], house: Installation, client: httpx.Client) -> None:
    before, listed = house.kept(), client.get("/v1/jobs").json()
    answer = client.post(f"/v1/jobs/{parents['text']}/fork", params={"validate_only": True}, json={})
    assert answer.status_code == 200 and "Location" not in answer.headers
    assert answer.json()["fresh"] == []
    assert answer.json()["shapes"]["embedding.weight"][1] == 8
    assert (house.kept(), client.get("/v1/jobs").json()) == (before, listed)


def test_a_repeated_request_makes_one_fork(parents: dict[str, str], house: Installation, client: httpx.Client) -> None:
    path, key = f"/v1/jobs/{parents['table']}/fork", {"Idempotency-Key": "once"}
    made = client.post(path, json={}, headers=key)
    kept = house.kept()
    again = client.post(path, json={}, headers=key)
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json() == made.json() and again.headers["Location"] == made.headers["Location"]
    for other, body in ((path, STILL), (f"/v1/jobs/{parents['value']}/fork", {})):
        kit.problem(client.post(other, json={"spec": body} if body else {}, headers=key), 422, "idempotency_key_reused")
    assert house.kept() == kept, "copies for a job that was not made are not left behind"


def test_a_repeated_request_needs_neither_the_checkpoint_nor_the_parent(ended: Ended, after: Installation) -> None:
    parent = ended.job_id
    path, key = f"/v1/jobs/{parent}/fork", {"Idempotency-Key": "kept"}
    with after.client() as client:
        named = {"checkpoint": client.get(f"/v1/jobs/{parent}/checkpoints/best").json()["id"]}
        made = client.post(path, json=named, headers=key)
        assert made.status_code == 201
        with after.database.writing() as tx:
            assert checkpoints.retire(tx, parent, 0, 0, "min")
        kit.problem(client.post(path, json=named), 422, "unknown_checkpoint")
        for _ in ("without the checkpoint", "without the parent"):
            again = client.post(path, json=named, headers=key)
            assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
            assert again.headers["Location"] == made.headers["Location"]
            client.delete(f"/v1/jobs/{parent}")
        kit.problem(client.post(path, json=named), 404, "not_found")
        kit.problem(client.post(path, json={}, headers=key), 422, "idempotency_key_reused")


def test_a_fork_that_the_store_has_no_room_for(
    parents: dict[str, str], house: Installation, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path for path in house.kept() if path.is_file()}
    put = FolderStore.put

    def full(store: FolderStore, key: str, source: Path) -> str:
        if key.endswith("preparation.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return put(store, key, source)

    monkeypatch.setattr(FolderStore, "put", full)
    kit.problem(client.post(f"/v1/jobs/{parents['table']}/fork", json={}), 507, "storage_full")
    assert {path for path in house.kept() if path.is_file()} == before


REFUSALS: list[tuple[str, dict[str, Any], str, str]] = [
    ("table", {"checkpoint": "ckpt_none"}, "/checkpoint", "unknown_checkpoint"),
    ("young", {}, "/checkpoint", "unknown_checkpoint"),
    ("table", {"checkpoint": 3}, "/checkpoint", "string_type"),
    ("table", {"spec": []}, "/spec", "dict_type"),
    ("table", {"patch": {}}, "/patch", "extra_forbidden"),
    ("table", {"spec": {"hyperparameters": {"lr": 1}}}, "/spec/hyperparameters/lr", "extra_forbidden"),
    (
        "table",
        {"spec": {"hyperparameters": {"optimizer": {"lr": -1}}}},
        "/spec/hyperparameters/optimizer/lr",
        "greater_than",
    ),
    (
        "table",
        {"spec": {"hyperparameters": {"optimizer": {"kind": "sdg"}}}},
        "/spec/hyperparameters/optimizer/kind",
        "union_tag_invalid",
    ),
    ("table", {"spec": {"architecture": None}}, "/spec/architecture", "missing"),
    ("table", {"spec": {"dataset": {"id": "iriss"}}}, "/spec/dataset/id", "unknown_dataset"),
    ("table", {"spec": {"dataset": {"id": "wine"}}}, "/spec/dataset/id", "unknown_column"),
    ("table", {"spec": {"architecture": {"kind": "mlp"}}}, "/spec/architecture", "wrong_shape"),
    ("image", {"spec": {"architecture": {"channels": [5]}}}, "/spec/architecture", "wrong_shape"),
    ("text", {"spec": {"architecture": {"widths": [2, 3, 4]}}}, "/spec/architecture", "wrong_shape"),
    (
        "text",
        {"spec": {"hyperparameters": {"freeze": ["embed"]}}},
        "/spec/hyperparameters/freeze/0",
        "unknown_parameter",
    ),
    ("table", {"spec": {"dataset": {"inputs": ["sepal length (cm)"]}}}, "/spec/dataset/inputs", "other_inputs"),
]


@pytest.mark.parametrize(("parent", "body", "pointer", "code"), REFUSALS)
def test_what_cannot_work_is_refused_where_it_stands(
    parent: str,
    body: dict[str, Any],
    pointer: str,
    code: str,
    parents: dict[str, str],
    house: Installation,
    client: httpx.Client,
) -> None:
    jobs = house.settings.data / "store" / "jobs"
    before = set(jobs.iterdir())
    kit.fault(client.post(f"/v1/jobs/{parents[parent]}/fork", json=body), pointer, code)
    assert set(jobs.iterdir()) == before


def test_a_misspelt_field_is_corrected(parents: dict[str, str], client: httpx.Client) -> None:
    path = f"/v1/jobs/{parents['table']}/fork"
    told = kit.fault(client.post(path, json={"spec": {"hyperparameters": {"epoch": 1}}}), "/spec/hyperparameters/epoch")
    assert told["suggestion"] == "did you mean 'epochs'?"
    several = {"hyperparameters": {"epoch": 1, "seed": -1}}
    faults = kit.problem(client.post(path, json={"spec": several}), 422)["errors"]
    assert {each["pointer"] for each in faults} == {"/spec/hyperparameters/epoch", "/spec/hyperparameters/seed"}


def test_the_first_tensors_that_do_not_fit_are_named(parents: dict[str, str], client: httpx.Client) -> None:
    wider = {"spec": {"architecture": {"embedding": 9}}}
    told = kit.fault(client.post(f"/v1/jobs/{parents['text']}/fork", json=wider), "/spec/architecture")
    assert "embedding.weight has the shape [" in told["message"] and "convs.1.weight" in told["message"]


def test_a_patch_as_deep_as_the_sea_is_refused(parents: dict[str, str], client: httpx.Client) -> None:
    for levels in (20, 200, 900, 5000):
        deep = '{"a":' * levels + "1" + "}" * levels
        answer = client.post(f"/v1/jobs/{parents['table']}/fork", content=f'{{"spec": {deep}}}', headers=kit.JSON)
        assert answer.status_code in (400, 422), (levels, answer.status_code)


def test_a_fork_may_change_nothing(parents: dict[str, str], client: httpx.Client) -> None:
    answer = client.post(f"/v1/jobs/{parents['table']}/fork")
    assert answer.status_code == 201
    assert answer.json()["spec"] == client.get(f"/v1/jobs/{parents['table']}").json()["spec"]


def test_there_is_nothing_to_fork(client: httpx.Client) -> None:
    kit.problem(client.post("/v1/jobs/job_none/fork", json={}), 404, "not_found")
