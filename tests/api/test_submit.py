"""Submitting: what is accepted, what it will cost, and that a repeated request makes one job."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
import pytest

from api import submission
from api.app import REHEARSALS
from models.planning.rehearsal import rehearse
from models.settings import Limits
from tests.api import kit
from tests.api.conftest import REVIEWS, WORDS


def test_a_job_is_accepted(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json=kit.spec("mlp", "iris", name="first", tags={"team": "botany"}))
    job = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert client.get(answer.headers["Location"]).json() == job
    assert job["id"].startswith("job_")
    assert (job["name"], job["state"], job["desired"], job["is_terminal"]) == ("first", "queued", "run", False)
    assert (job["attempt"], job["dataset_id"], job["tags"]) == (0, "iris", {"team": "botany"})
    assert [(each["from"], each["to"]) for each in job["transitions"]] == [(None, "queued")]
    assert job["progress"]["steps"] == 200 * 4


def test_defaults_are_filled_in(client: httpx.Client) -> None:
    found = client.post("/v1/jobs", json=kit.spec("mlp", "iris")).json()["spec"]
    assert found["architecture"] == {"kind": "mlp", "hidden": [128, 64], "activation": "relu", "dropout": 0.3}
    chosen = found["hyperparameters"]
    assert (chosen["epochs"], chosen["batch_size"], chosen["loss"]["kind"]) == (200, 32, "cross_entropy")
    assert (chosen["optimizer"]["kind"], chosen["optimizer"]["lr"], chosen["schedule"]["kind"]) == (
        "adamw",
        1e-3,
        "cosine",
    )
    assert (found["dataset"]["task"], found["dataset"]["target"]) == ("classification", "target")
    assert len(found["dataset"]["inputs"]) == 4 and found["checkpoints"]["every_epochs"] == 1
    again = client.post("/v1/jobs", json=found)
    assert again.status_code == 201 and again.json()["spec"] == found


@pytest.fixture(scope="module")
def reviews(api: httpx.Client) -> str:
    return str(kit.upload(api, "counted.csv", REVIEWS.encode())["id"])


def plan(api: httpx.Client, wanted: dict[str, Any]) -> dict[str, Any]:
    before = api.get("/v1/jobs").json()
    answer = api.post("/v1/jobs", params={"validate_only": True}, json=wanted)
    assert answer.status_code == 200, answer.text
    assert "Location" not in answer.headers
    assert api.get("/v1/jobs").json() == before
    found: dict[str, Any] = answer.json()
    return found


def test_the_plan_of_a_linear_model(api: httpx.Client) -> None:
    found = plan(api, kit.spec("linear", "iris"))
    assert found["parameters"] == 4 * 3 + 3
    assert (found["train_rows"], found["val_rows"], found["test_rows"]) == (120, 15, 15)
    assert (found["steps_per_epoch"], found["steps"]) == (4, 400)
    assert found["checkpoint_bytes"] >= 4 * 15 and found["memory_bytes"] > 0
    assert found["task"] == "classification" and found["spec"]["hyperparameters"]["epochs"] == 100


def test_the_plan_of_a_regression(api: httpx.Client) -> None:
    found = plan(api, kit.spec("linear", "diabetes", hyperparameters={"steps": 7}))
    assert (found["task"], found["parameters"], found["steps"]) == ("regression", 10 + 1, 7)
    assert found["spec"]["hyperparameters"]["loss"]["kind"] == "mse"


def test_the_plan_of_a_perceptron(api: httpx.Client) -> None:
    assert plan(api, kit.spec("mlp", "iris"))["parameters"] == (4 * 128 + 128) + (128 * 64 + 64) + (64 * 3 + 3)


def test_the_plan_of_a_convolutional_network(api: httpx.Client) -> None:
    small = {"channels": [8, 16], "kernel": 3, "hidden": [10]}
    blocks = (1 * 8 * 9 + 2 * 8) + (8 * 16 * 9 + 2 * 16)
    head = (16 * 2 * 2 * 10 + 2 * 10) + (10 * 10 + 10)
    assert plan(api, kit.spec("cnn", "digits", architecture=small))["parameters"] == blocks + head


def test_the_plan_of_a_network_over_words(api: httpx.Client, reviews: str) -> None:
    small = {"widths": [2, 3], "channels": 4, "embedding": 8}
    words = sum(map(len, WORDS)) + len({"padding", "unknown"})
    counted = words * 8 + (8 * 4 * 2 + 4) + (8 * 4 * 3 + 4) + (2 * 4 * 2 + 2)
    assert plan(api, kit.spec("textcnn", reviews, architecture=small))["parameters"] == counted


def test_a_plan_foresees_what_training_makes(trained: Any) -> None:
    """The steps it counts are the steps a job takes."""
    for job_id in (trained.table, trained.image, trained.text, trained.regression):
        progress = trained.client.get(f"/v1/jobs/{job_id}").json()["progress"]
        assert progress["step"] == progress["steps"] > 0


def test_the_same_key_and_body_make_one_job(client: httpx.Client) -> None:
    first = client.post("/v1/jobs", json=kit.spec(), headers={"Idempotency-Key": "k"})
    again = client.post("/v1/jobs", json=kit.spec(), headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    other = client.post("/v1/jobs", json=kit.spec(), headers={"Idempotency-Key": "other"})
    assert other.json()["id"] != first.json()["id"]
    assert len(client.get("/v1/jobs").json()["data"]) == 2


def test_the_same_key_with_another_body_is_refused(client: httpx.Client) -> None:
    first = client.post("/v1/jobs", json=kit.spec(), headers={"Idempotency-Key": "k"})
    assert first.status_code == 201
    other = client.post("/v1/jobs", json=kit.spec(name="other"), headers={"Idempotency-Key": "k"})
    kit.problem(other, 422, "idempotency_key_reused")
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_a_replay_shows_the_job_as_it_is_now(client: httpx.Client) -> None:
    job_id = client.post("/v1/jobs", json=kit.spec(), headers={"Idempotency-Key": "k"}).json()["id"]
    client.post(f"/v1/jobs/{job_id}/cancel")
    again = client.post("/v1/jobs", json=kit.spec(), headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")


def test_a_replay_needs_nothing_that_the_first_request_needed(house: kit.Installation, client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k"}
    first = client.post("/v1/jobs", json=kit.spec("linear"), headers=headers)
    with kit.installation(house.settings.data, limits=Limits(max_parameters=1)) as strict, strict.client() as now:
        kit.problem(now.post("/v1/jobs", json=kit.spec("linear")), 422)
        again = now.post("/v1/jobs", json=kit.spec("linear"), headers={**headers, **house.headers})
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        assert again.headers["Location"] == first.headers["Location"]
        other = now.post("/v1/jobs", json=kit.spec("linear", name="other"), headers={**headers, **house.headers})
        kit.problem(other, 422, "idempotency_key_reused")


def test_a_rehearsed_key_is_not_used_up(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k"}
    assert client.post("/v1/jobs?validate_only=1", json=kit.spec("linear"), headers=headers).status_code == 200
    assert client.post("/v1/jobs", json=kit.spec(), headers=headers).status_code == 201


def test_keys_of_different_callers_do_not_meet(house: kit.Installation, client: httpx.Client) -> None:
    from models.records import keys

    with house.database.writing() as tx:
        other = keys.create(tx, "other")
    mine = client.post("/v1/jobs", json=kit.spec(), headers={"Idempotency-Key": "k"})
    headers = {"Idempotency-Key": "k", "Authorization": f"Bearer {other}"}
    theirs = client.post("/v1/jobs", json=kit.spec(name="theirs"), headers=headers)
    assert (mine.status_code, theirs.status_code) == (201, 201)


def test_many_at_once_with_the_same_key_make_one_job(database_url: str, tmp_path: Path) -> None:
    """On both databases: SQLite lets one writer in at a time, PostgreSQL lets them meet."""
    with kit.installation(tmp_path / "data", database_url) as house, house.client() as client:
        assert client.get("/v1/datasets/iris").status_code == 200

        def post(_: int) -> tuple[int, str]:
            answer = client.post("/v1/jobs", json=kit.spec("linear"), headers={"Idempotency-Key": "k"})
            return answer.status_code, answer.json().get("id", answer.text)

        with ThreadPoolExecutor(12) as pool:
            found = list(pool.map(post, range(24)))
        assert len({job_id for _, job_id in found}) == 1, found
        assert sorted(status for status, _ in found) == [*([200] * 23), 201]
        assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_few_plans_are_made_at_once(
    monkeypatch: pytest.MonkeyPatch, house: kit.Installation, client: httpx.Client
) -> None:
    """Threads that compute keep the event loop, and so everybody else, from the interpreter."""
    made: Callable[..., Any] = rehearse
    running, most, lock = 0, 0, Lock()

    def counted(*given: Any) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            time.sleep(0.05)
            return made(*given)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(submission, "rehearse", counted)
    spec = kit.spec("linear", "iris")
    with kit.served(house) as served, ThreadPoolExecutor(6) as pool:
        answers = [*pool.map(lambda _: served.post("/v1/jobs?validate_only=true", json=spec).status_code, range(6))]
    assert answers == [200] * 6
    assert most == REHEARSALS


def test_plan_and_job_say_which_engine_and_why(api: httpx.Client) -> None:
    for kind, engine, why in (("mlp", "manual", "derivatives by hand"), ("linear", "eager", "dense layers alone")):
        plan = api.post("/v1/jobs?validate_only=true", json=kit.spec(kind, "iris")).json()
        job = api.post("/v1/jobs", json=kit.spec(kind, "iris")).json()
        for answer in (plan, job):
            assert answer["spec"]["resources"]["engine"] == engine and why in answer["engine_reason"]
        assert job["submitted"].get("resources", {}).get("engine") is None


def test_a_warm_up_that_never_ends_is_told(api: httpx.Client) -> None:
    for epochs, is_told in ((4, False), (5, True)):
        chosen = {"epochs": 5, "schedule": {"kind": "cosine", "warmup_epochs": epochs}}
        said = {"architecture": {"kind": "linear"}, "dataset": {"id": "iris"}, "hyperparameters": chosen}
        plan = api.post("/v1/jobs?validate_only=true", json=said).json()
        assert any("warm-up takes" in each["message"] for each in plan["warnings"]) is is_told
