"""What a queued job waits for: in its answer, in lists, in its ETag, and as a warning of a plan."""

import httpx
from sqlalchemy import select

from models.records import waiting
from models.records.tables import Job
from tests import factories
from tests.api import kit
from tests.api.conftest import Trained
from tests.api.kit import Installation

CUDA = kit.spec(resources={"device": "cuda"})


def test_a_job_that_asks_for_cuda_where_no_worker_has_it(house: Installation, client: httpx.Client) -> None:
    with house.database.writing() as tx:
        factories.a_worker(tx)
    other = kit.submit(client)
    submitted = client.post("/v1/jobs", json=CUDA).json()
    read = client.get(f"/v1/jobs/{submitted['id']}").json()
    (listed, _) = client.get("/v1/jobs").json()["data"]
    for job in (submitted, read, listed):
        assert job["waiting"] == {"reason": waiting.NO_CUDA, "place": 1}
    assert client.get(f"/v1/jobs/{other}").json()["waiting"] == {"reason": waiting.ONE_IS_FREE, "place": 1}
    cancelled = client.post(f"/v1/jobs/{submitted['id']}/cancel").json()
    assert cancelled["waiting"] is None


def test_the_etag_changes_with_what_a_job_waits_for(house: Installation, client: httpx.Client) -> None:
    path = f"/v1/jobs/{kit.submit(client)}"
    etag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    with house.database.writing() as tx:
        factories.a_worker(tx)
    answer = client.get(path, headers={"If-None-Match": etag})
    assert answer.status_code == 200 and answer.headers["ETag"] != etag
    assert answer.json()["waiting"]["reason"] == waiting.ONE_IS_FREE
    kit.problem(client.get("/v1/jobs/job_none"), 404, "not_found")


def test_a_plan_warns_of_what_would_keep_the_job_waiting(house: Installation, client: httpx.Client) -> None:
    def warned(spec: dict[str, object]) -> list[tuple[str, str]]:
        answer = client.post("/v1/jobs?validate_only=1", json=spec).json()
        return [(each["code"], each["message"]) for each in answer["warnings"]]

    assert warned(kit.spec()) == [("no_worker", waiting.NO_WORKER)]
    with house.database.writing() as tx:
        factories.a_worker(tx)
    assert warned(kit.spec()) == []
    assert warned(CUDA) == [("no_device", waiting.NO_CUDA)]
    client.post("/v1/jobs", json=CUDA)
    with house.database.reading() as tx:
        stored = tx.scalars(select(Job.plan)).one()["warnings"]
        assert "no_device" not in [each["code"] for each in stored], "a minute later it may be untrue"


def test_the_plan_of_a_fork_warns_too(trained: Trained) -> None:
    path = f"/v1/jobs/{trained.table}/fork?validate_only=1"
    answer = trained.client.post(path, json={"spec": {"resources": {"device": "cuda"}}})
    assert answer.status_code == 200, answer.text
    assert [each["code"] for each in answer.json()["warnings"]] == ["no_worker"]
