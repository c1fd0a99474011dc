"""The start of an id, or a name, in place of an id."""

from typing import Any

import pytest

from tests.athanor.answers import a_dataset, a_job, a_page
from tests.athanor.command_line import run
from tests.athanor.stub import Asked, Reply, Stub, as_json

OLD, NEW, OTHER = (f"job_{start}" + "0" * 24 for start in ("01932c01", "01932c02", "02000000"))
UPLOAD, TWIN = ("ds_" + digit * 32 for digit in "ab")


@pytest.fixture
def service(stub: Stub) -> Stub:
    """Three jobs in pages of one, newest first, and two datasets."""
    rows = [a_job(id=OTHER, name="mnist"), a_job(id=NEW, name="reviews"), a_job(id=OLD, name="reviews")]

    def page(asked: Asked) -> Reply:
        at = int(asked.query.get("after", ["0"])[0])
        return as_json({"data": [rows[at]], "has_more": at < 2, "next": str(at + 1) if at < 2 else None})

    stub.on("GET", "/v1/jobs", page)
    for row in rows:
        stub.on("GET", f"/v1/jobs/{row['id']}", as_json(row))
        stub.on("DELETE", f"/v1/jobs/{row['id']}", Reply(204))
    uploads = [a_dataset(id=UPLOAD, name="films"), a_dataset(id=TWIN, name="mnist")]
    stub.on("GET", "/v1/datasets", as_json(a_page(*uploads)))
    for row in [*uploads, a_dataset(id="digits", name="digits")]:
        stub.on("GET", f"/v1/datasets/{row['id']}", as_json(row))
    return stub


@pytest.mark.parametrize("said", [OTHER, "job_02", "mnist", OTHER[:-1]])
@pytest.mark.parametrize("command", ["show", "cancel", "pause", "resume", "logs", "watch", "wait"])
def test_a_job_is_found(service: Stub, command: str, said: str) -> None:
    ended: dict[str, Any] = {"id": OTHER, "name": "mnist", "state": "succeeded"}
    service.on("GET", f"/v1/jobs/{OTHER}", as_json(a_job(**ended)))
    for verb in ("cancel", "pause", "resume"):
        service.on("POST", f"/v1/jobs/{OTHER}/{verb}", as_json(a_job(**ended), 202))
    service.on("GET", f"/v1/jobs/{OTHER}/events", as_json(a_page()))
    service.on("GET", f"/v1/jobs/{OTHER}/metrics", as_json({"series": {}, "next": 0}))
    result = run(service, command, said)
    assert result.exit_code == 0, result.output
    assert service.asked[-1].path.startswith(f"/v1/jobs/{OTHER}")


def test_a_whole_id_is_not_searched_for(service: Stub) -> None:
    run(service, "show", NEW)
    assert [asked.path for asked in service.asked] == [f"/v1/jobs/{NEW}"]


def test_the_search_for_an_id_ends_where_older_jobs_begin(service: Stub) -> None:
    run(service, "show", "job_02")
    assert [asked.query.get("after") for asked in service.asked if asked.path == "/v1/jobs"] == [None, ["1"]]


@pytest.mark.parametrize("said", ["job_01932c", "reviews"])
def test_several_jobs_are_listed_and_none_is_taken(service: Stub, said: str) -> None:
    result = run(service, "cancel", said)
    assert result.exit_code == 5
    assert f"more than one job matches '{said}'" in result.stderr
    assert f"  {NEW}  reviews\n  {OLD}  reviews\n" in result.stderr
    assert {asked.method for asked in service.asked} == {"GET"}


def test_many_candidates_are_cut(stub: Stub) -> None:
    stub.on("GET", "/v1/jobs", as_json(a_page(*(a_job(id=f"job_{number}") for number in range(50)))))
    assert run(stub, "show", "reviews").stderr.splitlines()[-1] == "  …"


@pytest.mark.parametrize("said", ["nothing", "job_03", "", "reviews "])
def test_what_means_no_job_is_said(service: Stub, said: str) -> None:
    result = run(service, "show", said)
    assert result.exit_code == 5
    assert f"no job has the name '{said}' or an id that starts with it" in result.stderr


def test_a_dataset_is_found(service: Stub) -> None:
    for said, id in {"films": UPLOAD, "ds_a": UPLOAD, "mnist": TWIN, "digits": "digits"}.items():
        assert run(service, "datasets", said).exit_code == 0
        assert service.asked[-1].path == f"/v1/datasets/{id}"
    refused = run(service, "datasets", "ds_")
    assert refused.exit_code == 5 and f"  {UPLOAD}  films\n  {TWIN}  mnist\n" in refused.stderr
    assert "no dataset has the name 'none'" in run(service, "datasets", "none").stderr


def test_submit_takes_the_name_of_a_dataset(service: Stub) -> None:
    service.on("POST", "/v1/jobs", as_json(a_job(state="queued"), 201))
    assert run(service, "submit", "--architecture", "mlp", "--dataset", "films").exit_code == 0
    assert service.asked[-1].json["dataset"] == {"id": UPLOAD}
    spec = '{"architecture": {"kind": "mlp"}, "dataset": {"id": "films"}}'
    assert run(service, "submit", "-", text=spec).exit_code == 0
    assert service.asked[-1].json["dataset"] == {"id": UPLOAD}
    assert run(service, "submit", "-", "--set", "dataset.id=mnist", text=spec).exit_code == 0
    assert service.asked[-1].json["dataset"] == {"id": TWIN}
    refused = run(service, "submit", "-", "--set", "dataset.id=none", text=spec)
    assert refused.exit_code == 5 and "no dataset has the name 'none'" in refused.stderr


def test_fork_takes_the_name_of_a_dataset(service: Stub) -> None:
    service.on("POST", f"/v1/jobs/{OTHER}/fork", as_json(a_job(state="queued"), 201))
    assert run(service, "fork", OTHER, "--set", "dataset.id=films").exit_code == 0
    assert service.asked[-1].json["spec"] == {"dataset": {"id": UPLOAD}}
    assert run(service, "fork", OTHER, "--set", "dataset.target=label").exit_code == 0
    assert service.asked[-1].json["spec"] == {"dataset": {"target": "label"}}


def test_delete_takes_a_name_that_only_one_thing_has(service: Stub) -> None:
    service.on("DELETE", f"/v1/datasets/{UPLOAD}", Reply(204))
    assert run(service, "delete", "films").stdout == f"{UPLOAD} is deleted\n"
    refused = run(service, "delete", "mnist")
    assert refused.exit_code == 5
    assert "more than one job or dataset matches 'mnist'" in refused.stderr
    assert OTHER in refused.stderr and TWIN in refused.stderr
