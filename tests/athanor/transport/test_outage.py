"""A service that stays away while somebody waits for a job."""

import logging
import socket
import time
from collections.abc import Callable

import pytest

from athanor import Client, Unreachable
from athanor.errors import AthanorError, ServiceUnavailable
from athanor.transport.http import backoff
from athanor.transport.outage import FIRST_CONTACT, OutageMessages
from tests.athanor.answers import a_job, points
from tests.athanor.stub import Reply, Stub, as_json, in_turn, problem

LONG = 5 * FIRST_CONTACT
"""Attempts without an answer, more than a call that has a bound makes."""


def _outage() -> list[Reply]:
    """Broken connections and refusals of a proxy in turn."""
    broken = Reply(200, b"{", promised=100)
    return [broken, Reply(502, b"<h1>Bad Gateway</h1>"), problem(503, "starting", "not yet")] * (LONG // 3)


def test_wait_outlasts_an_outage(stub: Stub, client: Client) -> None:
    told: list[AthanorError | None] = []
    stub.on("GET", "/v1/jobs/job_1", in_turn(as_json(a_job()), *_outage(), as_json(a_job(state="succeeded"))))
    assert client.wait("job_1", on_outage=told.append).state == "succeeded"
    assert len(told) == len(_outage()) + 1
    assert {type(each) for each in told[:-1]} == {Unreachable, ServiceUnavailable}
    assert told[-1] is None


def test_watch_outlasts_an_outage_in_either_call(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/jobs/job_1", in_turn(as_json(a_job()), *_outage(), as_json(a_job(state="succeeded"))))
    first, last = as_json(points(1, train_loss=([1], [0.5]))), as_json(points(1))
    stub.on("GET", "/v1/jobs/job_1/metrics", in_turn(first, *_outage(), last))
    assert [job.state for job, _ in client.watch("job_1", every=0.0)] == ["running", "succeeded"]


def test_a_service_that_never_answered_is_given_up(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/jobs/job_1", problem(503, "starting", "not yet"))
    with pytest.raises(ServiceUnavailable, match="not yet"):
        client.wait("job_1")
    assert len(stub.asked) == FIRST_CONTACT


def test_the_timeout_of_wait_bounds_an_outage(stub: Stub, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("athanor.transport.http.backoff", lambda attempt: 5.0)
    stub.on("GET", "/v1/jobs/job_1", in_turn(as_json(a_job()), problem(503, "starting", "the database is away")))
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"within 0\.5 s: the database is away"):
        client.wait("job_1", timeout=0.5)
    assert time.monotonic() - started < 3


def test_the_timeout_of_wait_bounds_a_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf, Client(f"http://127.0.0.1:{deaf.getsockname()[1]}") as client:
        started = time.monotonic()
        with pytest.raises(TimeoutError, match=r"within 0\.5 s"):
            client.wait("job_1", timeout=0.5)
        assert time.monotonic() - started < 10


def test_a_refusal_in_the_middle_is_no_outage(stub: Stub, client: Client) -> None:
    stub.on("GET", "/v1/jobs/job_1", in_turn(as_json(a_job()), problem(404, "not_found", "no such job")))
    with pytest.raises(AthanorError, match="no such job"):
        client.wait("job_1")


def test_the_pause_stays_short_however_long_an_outage_lasts() -> None:
    assert 2.5 <= backoff(100_000) <= 5.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time that messages are measured by."""
    now = [0.0]
    monkeypatch.setattr("athanor.transport.outage.time.monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def test_messages_are_few(clock: Callable[[float], None]) -> None:
    said: list[str] = []
    messages = OutageMessages(said.append)
    for second in range(150):
        clock(second)
        messages(AthanorError("away\nand more"))
    clock(150)
    messages(None)
    messages(None)
    away = "the service does not answer, trying again (^C ends the wait, not the job): away"
    assert said == [away, away, away, "the service answers again after 150 s"]


def test_a_short_outage_is_not_mentioned(clock: Callable[[float], None]) -> None:
    said: list[str] = []
    messages = OutageMessages(said.append)
    messages(AthanorError("away"))
    clock(1)
    messages(AthanorError("away"))
    messages(None)
    assert said == []


def test_outages_are_logged_by_default(
    stub: Stub, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(OutageMessages.__init__, "__defaults__", (0.0, 60.0))
    stub.on("GET", "/v1/jobs/job_1", in_turn(as_json(a_job()), *_outage(), as_json(a_job(state="succeeded"))))
    with caplog.at_level(logging.WARNING, logger="athanor"):
        client.wait("job_1")
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
