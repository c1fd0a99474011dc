"""The log of a job."""

import json
from typing import Any

import pytest

from athanor.contract import Event, Job
from athanor.terminal.job_log import lines
from tests.athanor.answers import a_job
from tests.athanor.command_line import run
from tests.athanor.stub import Asked, Reply, Stub, as_json, weights

TIME = "2026-01-02T03:04:05.678Z"


def _event(seq: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"seq": seq, "job_id": "job_1", "attempt": 1, "at": TIME, "kind": kind, "data": data}


@pytest.fixture
def service(stub: Stub) -> Stub:
    """A job that failed, its events in two pages."""
    first = [
        _event(1, "state", **{"from": None, "to": "queued", "reason": None, "actor": "user"}),
        _event(2, "state", **{"from": "queued", "to": "starting", "reason": None, "actor": "worker"}),
        _event(3, "log", line="reading \x1b[2J rows"),
        _event(4, "checkpoint", id="ckpt_1", step=60, reason="best"),
    ]
    second = [
        _event(5, "warning", message="the best checkpoint is lost"),
        _event(6, "state", **{"from": "running", "to": "queued", "reason": "resumed", "actor": "key", "by": "ann"}),
        _event(7, "state", **{"from": "running", "to": "failed", "reason": "error", "actor": "supervisor"}),
    ]

    def events(asked: Asked) -> Reply:
        if asked.query.get("after") == ["4"]:
            return as_json({"data": second, "has_more": False, "next": None})
        return as_json({"data": first, "has_more": True, "next": "4"})

    error = {"code": "diverged", "message": "the loss is NaN at step 90"}
    stub.on("GET", "/v1/jobs/job_1", as_json(a_job(state="failed", error=error)))
    stub.on("GET", "/v1/jobs/job_1/events", events)
    stub.on("GET", "/v1/jobs/job_1/logs", weights(b"one\ntwo\n"))
    return stub


def test_everything_that_happened_is_told_with_its_time(service: Stub) -> None:
    result = run(service, "logs", "job_1")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"{TIME}  state       queued (by user)",
        f"{TIME}  state       queued → starting (attempt 1)",
        f"{TIME}  log         reading �[2J rows",
        f"{TIME}  checkpoint  step 60 (best)",
        f"{TIME}  warning     the best checkpoint is lost",
        f"{TIME}  state       running → queued (resumed, by ann)",
        f"{TIME}  state       running → failed (error): the loss is NaN at step 90 (diverged)",
    ]


def test_a_terminal_shows_long_lines_on_several() -> None:
    words = "the loss of the validation part did not improve in this epoch, and the learning rate falls by a half"
    events = [
        Event.model_validate(_event(1, "log", line=words)),
        Event.model_validate(_event(2, "log", line="x" * 200)),
    ]
    shown = list(lines(events, Job.model_validate(a_job()), 80))
    assert len(shown) > 4 and max(map(len, shown)) <= 80
    assert shown[0].startswith(f"{TIME}  log         the loss") and shown[1].startswith(" " * (len(TIME) + 2))
    joined = " ".join(line[len(TIME) + 2 :].strip() for line in shown)
    assert words in joined and joined.count("x") == 200
    assert len(list(lines(events, Job.model_validate(a_job())))) == 2


def test_the_lines_of_the_trainer_alone(service: Stub) -> None:
    assert run(service, "logs", "job_1", "--raw").stdout == "one\ntwo\n"


def test_a_program_reads_the_events(service: Stub) -> None:
    said = json.loads(run(service, "logs", "job_1", "--json").stdout)
    assert [event["kind"] for event in said["events"]] == [
        "state",
        "state",
        "log",
        "checkpoint",
        "warning",
        *["state"] * 2,
    ]
    assert said["error"]["code"] == "diverged"
