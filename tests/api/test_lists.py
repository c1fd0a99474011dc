"""Lists: a page at a time, with nothing left out and nothing twice, however the list grows meanwhile."""

import json
from typing import Any

import httpx
import pytest

from athanor.contract import Device
from models.records import workers
from models.records.ids import new_id
from tests.api import kit
from tests.api.kit import Installation


def pages(client: httpx.Client, path: str, **query: Any) -> list[list[str]]:
    """The ids on every page, by following `next`."""
    found, after = [], None
    while True:
        answer = client.get(path, params=query | ({"after": after} if after else {}))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.append([each["id"] for each in page["data"]])
        assert page["has_more"] == (page["next"] is not None)
        if not page["has_more"]:
            return found
        assert len(page["data"]) == query["limit"] and page["next"] == page["data"][-1]["id"]
        after = page["next"]


@pytest.mark.parametrize("limit", [1, 3, 4, 7, 11, 12, 13, 100])
def test_jobs_newest_first(client: httpx.Client, limit: int) -> None:
    made = [kit.submit(client) for _ in range(12)]
    found = pages(client, "/v1/jobs", limit=limit)
    assert [each for page in found for each in page] == sorted(made, reverse=True)
    assert all(found)


def test_the_default_page_has_twenty(client: httpx.Client) -> None:
    made = sorted((kit.submit(client) for _ in range(21)), reverse=True)
    page = client.get("/v1/jobs").json()
    assert [each["id"] for each in page["data"]] == made[:20] and page["has_more"]


def test_a_page_of_large_rows_is_short(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sorted((kit.submit(client) for _ in range(5)), reverse=True)
    # A spec is stored as it was sent and as it was resolved.
    job = client.get(f"/v1/jobs/{made[0]}").json()
    size = len(json.dumps([job["spec"], job["columns"]]))
    monkeypatch.setattr("models.records.pages.PAGE_SIZE", 3 * size)
    page = client.get("/v1/jobs").json()
    assert [each["id"] for each in page["data"]] == made[:2] and page["has_more"] and page["next"] == made[1]
    # A row that is larger than a page is one.
    monkeypatch.setattr("models.records.pages.PAGE_SIZE", 1)
    assert pages(client, "/v1/jobs", limit=1) == [[each] for each in made]
    assert [each["id"] for each in client.get("/v1/jobs").json()["data"]] == made[:1]


def test_what_comes_and_goes_meanwhile_disturbs_no_page(client: httpx.Client) -> None:
    made = sorted((kit.submit(client) for _ in range(6)), reverse=True)
    first = client.get("/v1/jobs?limit=2").json()
    kit.submit(client)
    # Even the job that the cursor names may go.
    client.post(f"/v1/jobs/{first['next']}/cancel")
    assert client.delete(f"/v1/jobs/{first['next']}").status_code == 204
    second = client.get("/v1/jobs", params={"limit": 2, "after": first["next"]}).json()
    assert [each["id"] for each in (*first["data"], *second["data"])] == made[:4]


def test_an_empty_list(client: httpx.Client) -> None:
    for path in ("/v1/jobs", "/v1/datasets", "/v1/workers"):
        assert client.get(path).json() == {"data": [], "has_more": False, "next": None}


def test_jobs_by_state(client: httpx.Client) -> None:
    made = [kit.submit(client) for _ in range(4)]
    client.post(f"/v1/jobs/{made[0]}/cancel")
    client.post(f"/v1/jobs/{made[1]}/pause")
    assert pages(client, "/v1/jobs", limit=10, state="cancelled") == [[made[0]]]
    assert pages(client, "/v1/jobs", limit=10, state="paused") == [[made[1]]]
    assert pages(client, "/v1/jobs", limit=1, state="queued") == [[made[3]], [made[2]]]
    assert pages(client, "/v1/jobs", limit=10, state="failed") == [[]]


def test_jobs_by_tag(client: httpx.Client) -> None:
    red = [kit.submit(client, kit.spec(tags={"color": "red", "n": str(at)})) for at in range(3)]
    blue = kit.submit(client, kit.spec(tags={"color": "blue"}))
    odd = kit.submit(client, kit.spec(tags={"color": "a:b"}))
    assert pages(client, "/v1/jobs", limit=2, tag="color:red") == [[red[2], red[1]], [red[0]]]
    assert pages(client, "/v1/jobs", limit=5, tag="color:blue") == [[blue]]
    assert pages(client, "/v1/jobs", limit=5, tag="color:a:b") == [[odd]]
    assert pages(client, "/v1/jobs", limit=5, tag="n:1") == [[red[1]]]
    assert pages(client, "/v1/jobs", limit=5, tag="color:re") == [[]]
    client.post(f"/v1/jobs/{red[0]}/cancel")
    assert pages(client, "/v1/jobs", limit=5, tag="color:red", state="cancelled") == [[red[0]]]
    kit.problem(client.get("/v1/jobs?tag=color"), 422, "invalid")
    # Repeated, all conditions hold.
    assert pages(client, "/v1/jobs", limit=5, tag=["color:red", "n:1"]) == [[red[1]]]
    assert pages(client, "/v1/jobs", limit=5, tag=["n:1", "color:red"]) == [[red[1]]]
    assert pages(client, "/v1/jobs", limit=5, tag=["color:blue", "color:red"]) == [[]]
    found = kit.fault(client.get("/v1/jobs", params={"tag": ["n:1", "color"]}), "?tag", "wrong_tag")
    assert found["message"] == "'color' has no colon; write it as tag=name:value"


@pytest.mark.parametrize("path", ["jobs", "datasets", "workers", "jobs/{job}/checkpoints", "jobs/{job}/events"])
def test_a_cursor_that_is_none_is_refused(client: httpx.Client, path: str) -> None:
    where = "/v1/" + path.format(job=kit.submit(client))
    others = ("job_" + "0" * 31, "job_" + "G" * 32, new_id("ev"), "zzz", "a" * 300)
    for cursor in others:
        found = kit.fault(client.get(where, params={"after": cursor}), "?after")
        assert len(found["message"]) < 150
    # A cursor whose row has gone is still one.
    kinds = {"jobs": "job", "datasets": "ds", "workers": "wrk", "checkpoints": "ckpt"}
    if kind := kinds.get(path.rpartition("/")[2]):
        assert client.get(where, params={"after": new_id(kind)}).status_code == 200


def test_a_built_in_dataset_is_a_cursor(client: httpx.Client) -> None:
    unlisted = kit.fault(client.get("/v1/datasets?after=iris"), "?after", "unknown_cursor")
    assert unlisted["message"].startswith("'iris' is not a cursor of this list")
    for name in ("iris", "wine", "digits"):
        client.get(f"/v1/datasets/{name}")
    assert pages(client, "/v1/datasets", limit=1) == [["digits"], ["wine"], ["iris"]]


def test_datasets(client: httpx.Client) -> None:
    made = [kit.upload(client, f"{at}.csv", b"a,b\n1,2\n3,%d\n" % at)["id"] for at in range(5)]
    assert pages(client, "/v1/datasets", limit=2) == [[made[4], made[3]], [made[2], made[1]], [made[0]]]
    assert client.delete(f"/v1/datasets/{made[3]}").status_code == 204
    rest = client.get("/v1/datasets", params={"limit": 2, "after": made[3]}).json()["data"]
    assert [each["id"] for each in rest] == [made[2], made[1]], "the list goes on where a deleted one stood"


def test_workers(house: Installation, client: httpx.Client) -> None:
    ids = [new_id("wrk") for _ in range(3)]
    for at, worker_id in enumerate(ids):
        with house.database.writing() as tx:
            workers.enlist(
                tx,
                worker_id,
                host=f"host-{at}",
                machine="m",
                pid=1,
                pid_started=0.0,
                version="0.1.0",
                mode="local",
                slots=2,
                devices=[Device(kind="cpu", name="a processor")],
            )
    assert pages(client, "/v1/workers", limit=2) == [sorted(ids, reverse=True)[:2], sorted(ids, reverse=True)[2:]]
    shown = client.get("/v1/workers?limit=1").json()["data"][0]
    assert (shown["state"], shown["slots"], shown["running"]) == ("active", 2, [])
    assert shown["devices"] == [{"kind": "cpu", "name": "a processor", "memory_bytes": None}]


def test_checkpoints_in_the_order_they_were_written(trained: Any) -> None:
    path = f"/v1/jobs/{trained.table}/checkpoints"
    whole = pages(trained.client, path, limit=100)[0]
    assert len(whole) >= 2
    assert [each for page in pages(trained.client, path, limit=1) for each in page] == whole == sorted(whole)
