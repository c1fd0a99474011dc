"""A job's life as its owner sees it: looking, cancelling, pausing, resuming, deleting."""

from collections.abc import Callable

import httpx
import pytest

from athanor.contract import Device
from models.records import jobs, workers
from models.records.ids import new_id
from tests.api import kit
from tests.api.conftest import Trained
from tests.api.kit import Installation


def run(house: Installation, job_id: str) -> int:
    """A worker, on paper, claims the one queued job and begins. Returns the attempt."""
    worker_id = new_id("wrk")
    with house.database.writing() as tx:
        workers.enlist(
            tx,
            worker_id,
            host="h",
            machine="m",
            pid=1,
            pid_started=0.0,
            version="0.1.0",
            mode="local",
            slots=1,
            devices=[Device(kind="cpu", name="a processor")],
        )
        claim = jobs.claim(tx, worker_id, ["auto"], 60)
        assert claim is not None and claim.job_id == job_id
        jobs.begin(tx, job_id, claim.attempt, [(1, None)], "cpu", {})
    return claim.attempt


def state(client: httpx.Client, job_id: str) -> str:
    return str(client.get(f"/v1/jobs/{job_id}").json()["state"])


def test_unchanged_is_304(client: httpx.Client) -> None:
    path = f"/v1/jobs/{kit.submit(client)}"
    etag = client.get(path).headers["ETag"]
    assert etag.startswith('"') and etag.endswith('"')
    for wanted in (etag, f'"other", {etag}', f"W/{etag}"):
        answer = client.get(path, headers={"If-None-Match": wanted})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    client.post(f"{path}/cancel")
    answer = client.get(path, headers={"If-None-Match": etag})
    assert answer.status_code == 200 and answer.headers["ETag"] != etag
    assert answer.json()["state"] == "cancelled"


def test_everything_that_shows_changes_the_tag(house: Installation, client: httpx.Client) -> None:
    job_id = kit.submit(client)
    path, tags = f"/v1/jobs/{job_id}", []

    def note() -> None:
        tags.append(client.get(path).headers["ETag"])

    note()
    attempt = run(house, job_id)
    note()
    with house.database.writing() as tx:
        jobs.beat(tx, job_id, attempt, 60, (3, 0.5, 10.0))
    note()
    client.post(f"{path}/pause")
    note()
    with house.database.writing() as tx:
        jobs.release(tx, job_id, attempt)
    note()
    assert len(set(tags)) == len(tags) == 5


@pytest.mark.parametrize(("verb", "then"), [("cancel", "cancelled"), ("pause", "paused"), ("resume", "queued")])
def test_a_wish_for_a_queued_job_is_done_at_once_and_only_once(client: httpx.Client, verb: str, then: str) -> None:
    job_id = kit.submit(client)
    answers = [client.post(f"/v1/jobs/{job_id}/{verb}") for _ in range(3)]
    assert [(each.status_code, each.json()["state"]) for each in answers] == [(202, then)] * 3
    assert len(answers[-1].json()["transitions"]) == (1 if verb == "resume" else 2)


@pytest.mark.parametrize(("verb", "desired"), [("cancel", "cancel"), ("pause", "pause"), ("resume", "run")])
def test_a_wish_for_a_running_job_is_noted(house: Installation, client: httpx.Client, verb: str, desired: str) -> None:
    job_id = kit.submit(client)
    run(house, job_id)
    for _ in range(2):
        answer = client.post(f"/v1/jobs/{job_id}/{verb}")
        assert answer.status_code == 202
        assert (answer.json()["state"], answer.json()["desired"]) == ("running", desired)


def test_pause_and_resume_go_round(client: httpx.Client) -> None:
    job_id = kit.submit(client)
    for verb, then in [("pause", "paused"), ("resume", "queued"), ("pause", "paused"), ("cancel", "cancelled")]:
        answer = client.post(f"/v1/jobs/{job_id}/{verb}")
        assert (answer.status_code, answer.json()["state"]) == (202, then)
    assert [each["to"] for each in client.get(f"/v1/jobs/{job_id}").json()["transitions"]] == [
        "queued",
        "paused",
        "queued",
        "paused",
        "cancelled",
    ]


def test_a_pause_on_its_way_is_taken_back(house: Installation, client: httpx.Client) -> None:
    job_id = kit.submit(client)
    run(house, job_id)
    client.post(f"/v1/jobs/{job_id}/pause")
    assert client.post(f"/v1/jobs/{job_id}/resume").json()["desired"] == "run"


def test_a_cancellation_is_not_taken_back(house: Installation, client: httpx.Client) -> None:
    job_id = kit.submit(client)
    run(house, job_id)
    client.post(f"/v1/jobs/{job_id}/cancel")
    for verb in ("pause", "resume"):
        kit.problem(client.post(f"/v1/jobs/{job_id}/{verb}"), 409, "wrong_state")
    assert client.get(f"/v1/jobs/{job_id}").json()["desired"] == "cancel"


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume"])
def test_what_has_succeeded_stays_so(trained: Trained, verb: str) -> None:
    kit.problem(trained.client.post(f"/v1/jobs/{trained.table}/{verb}"), 409, "wrong_state")
    assert state(trained.client, trained.table) == "succeeded"


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_what_was_cancelled_stays_so(client: httpx.Client, verb: str) -> None:
    job_id = kit.submit(client)
    client.post(f"/v1/jobs/{job_id}/cancel")
    kit.problem(client.post(f"/v1/jobs/{job_id}/{verb}"), 409, "wrong_state")


@pytest.mark.parametrize("prepare", ["queued", "paused", "running"])
def test_a_job_that_has_not_ended_is_not_deleted(house: Installation, client: httpx.Client, prepare: str) -> None:
    job_id = kit.submit(client)
    steps: dict[str, Callable[[], object]] = {
        "queued": lambda: None,
        "paused": lambda: client.post(f"/v1/jobs/{job_id}/pause"),
        "running": lambda: run(house, job_id),
    }
    steps[prepare]()
    kit.problem(client.delete(f"/v1/jobs/{job_id}"), 409, "wrong_state")
    assert state(client, job_id) == prepare


def test_a_deleted_job_leaves_nothing(house: Installation, client: httpx.Client) -> None:
    job_id = kit.submit(client)
    mine = house.settings.data / "store" / "jobs" / job_id
    mine.mkdir(parents=True)
    (mine / "weights.safetensors").write_bytes(b"w")
    client.post(f"/v1/jobs/{job_id}/cancel")
    answer = client.delete(f"/v1/jobs/{job_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not mine.exists()
    kit.problem(client.get(f"/v1/jobs/{job_id}"), 404, "not_found")
    kit.problem(client.delete(f"/v1/jobs/{job_id}"), 404, "not_found")
    assert client.get("/v1/jobs").json()["data"] == []


def test_what_a_job_that_ended_well_shows(trained: Trained) -> None:
    job = trained.client.get(f"/v1/jobs/{trained.table}").json()
    assert job["is_terminal"] and job["error"] is None and job["bit_exact"] is True
    assert [each["to"] for each in job["transitions"]] == ["queued", "starting", "running", "succeeded"]
    assert job["created_at"] <= job["started_at"] <= job["finished_at"] and job["finished_at"].endswith("Z")
    assert {"train/loss", "val/loss", "val/accuracy", "test/loss", "lr"} <= job["latest"].keys()
    assert "lr" not in job["best"] and job["best"]["val/accuracy"]["value"] >= job["latest"]["val/accuracy"]["value"]
    assert job["progress"]["step"] == job["progress"]["steps"] == 3 * 4
