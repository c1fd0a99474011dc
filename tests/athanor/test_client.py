"""The client against a server that misbehaves in every way the real one hopes not to."""

import json
import socket
from pathlib import Path

import pytest

from athanor import Client, Conflict, JobFailed, JobSpec, NotFound, TooLarge, Unauthorized, Unreachable
from athanor.errors import AthanorError, Invalid, ServiceUnavailable
from tests.athanor.answers import a_dataset, a_job, a_page, points
from tests.athanor.stub import Asked, Reply, Stub, as_json, in_turn, problem

SPEC = {"architecture": {"kind": "mlp"}, "dataset": {"id": "digits"}}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (413, TooLarge),
        (418, AthanorError),
        (422, Invalid),
        (500, AthanorError),
        (503, ServiceUnavailable),
    ],
)
def test_a_problem_becomes_the_exception_of_its_status(
    stub: Stub, client: Client, status: int, kind: type[AthanorError]
) -> None:
    stub.on("GET", "/v1/jobs/job_1", problem(status, "some_code", "what went wrong"))
    with pytest.raises(AthanorError, match="what went wrong") as caught:
        client.job("job_1")
    assert type(caught.value) is kind
    assert caught.value.code == "some_code"


def test_invalid_lists_every_fault_with_its_pointer(stub: Stub, client: Client) -> None:
    faults = [
        {"pointer": "/architecture/hiden", "code": "extra", "message": "no such field", "suggestion": "hidden"},
        {"pointer": "/hyperparameters/epochs", "code": "bound", "message": "must be at least 1"},
    ]
    stub.on("POST", "/v1/jobs", problem(422, "invalid", "2 things are wrong", errors=faults))
    with pytest.raises(Invalid) as caught:
        client.submit(SPEC)
    assert str(caught.value).splitlines() == [
        "2 things are wrong",
        "  /architecture/hiden: no such field (hidden)",
        "  /hyperparameters/epochs: must be at least 1",
    ]


def test_a_fault_is_not_said_twice(stub: Stub, client: Client) -> None:
    fault = {"pointer": "/x", "code": "extra", "message": "not permitted"}
    stub.on("POST", "/v1/jobs", problem(422, "Unprocessable", "/x: not permitted", errors=[fault]))
    with pytest.raises(Invalid) as caught:
        client.plan(SPEC)
    assert str(caught.value) == "Unprocessable\n  /x: not permitted"


def test_a_refusal_by_something_else_is_still_said(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/jobs/job_1", Reply(502, b"<h1>Bad Gateway</h1>"))
    with pytest.raises(AthanorError, match="502: <h1>Bad Gateway"):
        client.job("job_1")


def test_an_answer_that_is_not_ours_is_said_without_a_traceback(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/jobs/job_1", Reply(200, b"<html>welcome</html>"))
    with pytest.raises(AthanorError, match="is not a Job"):
        client.job("job_1")


def test_unreachable_says_where_and_what_to_do() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with Client(url, "k") as client, pytest.raises(Unreachable, match=f"{url} .*athanor up"):
        client.jobs()


def test_reads_are_repeated_while_the_service_is_busy(stub: Stub, client: Client) -> None:
    busy = problem(503, "starting", "not yet")
    broken = Reply(200, b"{", promised=100)
    stub.on("GET", "/v1/jobs/job_1", in_turn(busy, broken, as_json(a_job())))
    assert client.job("job_1").id == "job_1"
    assert len(stub.asked) == 3


def test_ready_asks_once(stub: Stub, client: Client) -> None:
    stub.on("GET", "/readyz", problem(503, "not_ready", "the database is away"))
    with pytest.raises(ServiceUnavailable, match="the database is away"):
        client.ready()
    assert len(stub.asked) == 1


def test_a_submit_broken_off_is_repeated_under_one_key(stub: Stub, client: Client) -> None:
    stub.on("POST", "/v1/jobs", in_turn(Reply(201, b"{", promised=100), as_json(a_job(state="queued"), 201)))
    assert client.submit(JobSpec.model_validate(SPEC)).state == "queued"
    keys = [asked.headers["idempotency-key"] for asked in stub.asked]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert stub.asked[0].json["architecture"] == {"kind": "mlp"}


def test_two_submits_have_two_keys(stub: Stub, client: Client) -> None:
    stub.on("POST", "/v1/jobs", as_json(a_job(), 201))
    client.submit(SPEC)
    client.submit(SPEC)
    client.submit(SPEC, idempotency_key="mine")
    first, second, third = (asked.headers["idempotency-key"] for asked in stub.asked)
    assert first != second
    assert third == "mine"


def test_a_fork_broken_off_is_repeated_under_one_key(stub: Stub, client: Client) -> None:
    stub.on("POST", "/v1/jobs/job_0/fork", in_turn(Reply(201, b"{", promised=100), as_json(a_job(), 201)))
    assert client.fork("job_0", {"name": "again"}, checkpoint="last").id == "job_1"
    assert len({asked.headers["idempotency-key"] for asked in stub.asked}) == 1
    assert stub.asked[1].json == {"checkpoint": "last", "spec": {"name": "again"}}


def test_delete_is_not_repeated(stub: Stub, client: Client) -> None:
    stub.on("DELETE", "/v1/jobs/job_1", Reply(204))
    client.delete_job("job_1")
    stub.on("DELETE", "/v1/jobs/job_1", problem(503, "busy", "not now"))
    with pytest.raises(ServiceUnavailable):
        client.delete_job("job_1")
    assert len(stub.asked) == 2


def test_an_id_cannot_climb_to_another_endpoint(stub: Stub, client: Client) -> None:
    with pytest.raises(NotFound):
        client.job("../workers")
    assert stub.asked[0].path == "/v1/jobs/..%2Fworkers"


def test_nothing_is_asked_for_that_was_not_said(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/jobs", as_json(a_page(a_job())))
    client.jobs(state="running", limit=5)
    assert stub.asked[0].query == {"state": ["running"], "limit": ["5"]}
    assert stub.asked[0].headers["authorization"] == "Bearer ath_test"


def test_watch_yields_each_point_once_and_the_last_ones_too(stub: Stub, client: Client) -> None:
    answers = {
        None: points(2, train_loss=([1, 2], [0.9, 0.8])),
        "2": points(4, train_loss=([3, 4], [0.7, 0.6])),
        "4": points(5, train_loss=([5], [0.5]), test_accuracy=([5], [0.95])),
    }

    def metrics(asked: Asked) -> Reply:
        return as_json(answers[asked.query.get("after", [None])[0]])

    stub.on("GET", "/v1/jobs/job_1", in_turn(as_json(a_job()), as_json(a_job(state="succeeded"))))
    stub.on("GET", "/v1/jobs/job_1/metrics", metrics)
    told = list(client.watch("job_1", every=0.0))
    assert [job.state for job, _ in told] == ["running", "succeeded", "succeeded"]
    assert [{name: one.steps for name, one in new.series.items()} for _, new in told] == [
        {"train/loss": [1, 2]},
        {"train/loss": [3, 4]},
        {"train/loss": [5], "test/accuracy": [5]},
    ]


def test_non_finite_values_arrive_as_numbers(stub: Stub, client: Client) -> None:
    body = points(1, train_loss=([1], [0.0]))
    body["series"]["train/loss"]["values"] = ["NaN"]
    stub.on("GET", "/v1/jobs/job_1/metrics", as_json(body))
    (value,) = client.metrics("job_1", series=["train/loss"], wait=0.5).series["train/loss"].values
    assert value != value
    assert stub.asked[0].query == {"series": ["train/loss"], "wait": ["0.5"]}


def test_wait_raises_what_failed(stub: Stub, client: Client) -> None:
    error = {"code": "out_of_memory", "message": "the device is full", "retryable": True}
    stub.on("GET", "/v1/jobs/job_1", as_json(a_job(state="failed", error=error)))
    with pytest.raises(JobFailed, match=r"the device is full \(out_of_memory\); it may succeed") as caught:
        client.wait("job_1")
    assert caught.value.job.id == "job_1"


def test_wait_gives_up_in_time(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/jobs/job_1", as_json(a_job()))
    with pytest.raises(TimeoutError, match="still running"):
        client.wait("job_1", timeout=0.1)


def test_predict_takes_arrays_and_files(stub: Stub, client: Client) -> None:
    class Row:
        def tolist(self) -> list[int]:
            return [1, 2]

    stub.on("POST", "/v1/jobs/job_1/predict", as_json({"checkpoint_id": "ckpt_1", "predictions": [{"value": 1.5}] * 2}))
    assert client.predict("job_1", [Row(), b"\x89PNG"]).predictions[0]["value"] == 1.5
    assert stub.asked[0].json == {"rows": [[1, 2], "iVBORw=="]}


def test_predict_says_how_to_go_on(stub: Stub, client: Client) -> None:
    stub.on("POST", "/v1/jobs/job_1/predict", as_json({"checkpoint_id": "ckpt_1", "predictions": [{"text": "b"}]}))
    client.predict("job_1", ["a"], max_new_tokens=5, temperature=0.5, top_k=3, seed=0)
    assert stub.asked[0].json == {"rows": ["a"], "max_new_tokens": 5, "temperature": 0.5, "top_k": 3, "seed": 0}


def test_a_file_of_rows_comes_back_whole_or_not_at_all(stub: Stub, client: Client, tmp_path: Path) -> None:
    rows, answers = tmp_path / "rows.csv", tmp_path / "answers.csv"
    rows.write_text("a\n1\n")
    found = {"checkpoint_id": "ckpt_1", "rows": 1}
    headers = {"Athanor-Predictions": json.dumps(found)}
    stub.on("POST", "/v1/jobs/job_1/predict", Reply(200, b"a,predicted_value\n1,2\n", headers))
    assert client.predict_file("job_1", rows, answers).rows == 1
    assert answers.read_bytes() == b"a,predicted_value\n1,2\n"
    stub.on("POST", "/v1/jobs/job_1/predict", Reply(200, b"a,pre", headers, promised=100))
    with pytest.raises(Unreachable):
        client.predict_file("job_1", rows, tmp_path / "broken.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv", "rows.csv"]


def test_upload_streams_the_file(stub: Stub, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    line = b"text,label\n"
    path.write_bytes(line * 200_000)
    stub.on("POST", "/v1/datasets", as_json(a_dataset(), 201))
    seen: list[tuple[int, int | None]] = []
    assert client.upload(path, progress=lambda done, total: seen.append((done, total))).id == "ds_1"
    (asked,) = stub.asked
    assert asked.query == {"name": ["big"]}
    assert b'name="file"; filename="big.csv"' in asked.body[:300]
    assert asked.body.count(line) == 200_000
    whole = path.stat().st_size
    assert seen[-1] == (whole, whole)
    # Read piece by piece: a file read at once would have moved the bar once.
    assert len(seen) > 10
