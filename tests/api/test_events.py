"""Events: a page, a live stream that can be taken up again anywhere, and the trainer's own words."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from api.routes import events as routes
from models.records import events, jobs
from tests.api import kit
from tests.api.conftest import Trained
from tests.api.kit import Frame, Installation
from tests.api.test_jobs import run
from tests.api.test_metrics import write

STREAM = {"Accept": "text/event-stream"}


def stream(client: httpx.Client, job_id: str, last: str | None = None, **query: Any) -> list[Frame]:
    """Every frame of a stream, to its end."""
    headers = STREAM | ({"Last-Event-ID": last} if last is not None else {})
    with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers, params=query) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        return [*kit.frames(answer.iter_lines())]


def told(frames: list[Frame]) -> list[tuple[str, Any]]:
    """What a stream says, each point of a series by itself."""
    said: list[tuple[str, Any]] = []
    for frame in frames:
        if frame.event == "metrics":
            for name, points in sorted(frame.json["series"].items()):
                columns = zip(points["steps"], points["values"], strict=True)
                said += [("point", (name, step, value)) for step, value in columns]
        elif frame.event:
            said.append((frame.event, frame.json.get("seq")))
    return said


def test_a_page(house: Installation, client: httpx.Client) -> None:
    job_id, other = kit.submit(client), kit.submit(client)
    with house.database.writing() as tx:
        for at in range(9):
            events.note(tx, job_id, 1, "log", {"line": f"line {at}"})
            events.note(tx, other, 1, "log", {"line": "of another job"})
    path = f"/v1/jobs/{job_id}/events"
    whole = client.get(path).json()
    assert [each["kind"] for each in whole["data"]] == ["state", *(["log"] * 9)]
    assert not whole["has_more"] and whole["next"] is None
    assert {each["job_id"] for each in whole["data"]} == {job_id}
    first = whole["data"][0]
    key_id = house.key.split("_")[1]
    who = {"actor": "key", "key_id": key_id, "by": "tests"}
    assert first["data"] == {"from": None, "to": "queued", "reason": "submitted", **who}
    found, after = [], "0"
    while after:
        page = client.get(path, params={"limit": 3, "after": after}).json()
        assert len(page["data"]) <= 3
        found += page["data"]
        after = page["next"]
    assert found == whole["data"]


def test_the_stream_of_a_job_that_has_ended(trained: Trained, live_trained: httpx.Client) -> None:
    frames = stream(live_trained, trained.table)
    assert (frames[0].id, frames[0].event, frames[0].data) == ("0-0", "", "")
    assert (frames[-1].event, frames[-1].data) == ("end", "{}")
    page = live_trained.get(f"/v1/jobs/{trained.table}/events").json()["data"]
    assert [frame.json for frame in frames if frame.event not in ("", "metrics", "end")] == page
    assert {"state", "checkpoint", "metrics"} <= {frame.event for frame in frames}
    points = [said for said in told(frames) if said[0] == "point"]
    columns = live_trained.get(f"/v1/jobs/{trained.table}/metrics").json()["series"]
    assert sorted(points) == sorted(
        ("point", (name, step, value))
        for name, each in columns.items()
        for step, value in zip(each["steps"], each["values"], strict=True)
    )


def test_going_on_from_any_id_loses_and_repeats_nothing(trained: Trained, live_trained: httpx.Client) -> None:
    whole = stream(live_trained, trained.table)
    assert len(whole) > 5
    for at, frame in enumerate(whole):
        rest = stream(live_trained, trained.table, last=frame.id)
        assert rest[0].id == frame.id
        assert told(rest[1:]) == told(whole[at + 1 :]) or (frame.event == "end" and told(rest) == [("end", None)])


def test_going_on_after_an_event_by_number(trained: Trained, live_trained: httpx.Client) -> None:
    whole = [said for said in told(stream(live_trained, trained.table)) if said[0] not in ("point", "end")]
    rest = told(stream(live_trained, trained.table, after=whole[2][1]))
    assert [said for said in rest if said[0] not in ("point", "end")] == whole[3:]


@pytest.mark.parametrize("last", ["nonsense", "-", "1", "1-", "-1-2", "1-2-3", "9" * 30 + "-0", "0-" + "9" * 5000])
def test_an_id_that_no_stream_gave_begins_at_the_beginning(
    trained: Trained, live_trained: httpx.Client, last: str
) -> None:
    assert told(stream(live_trained, trained.table, last)) == told(stream(live_trained, trained.table))


def test_digits_that_are_none(trained: Trained, live_trained: httpx.Client) -> None:
    headers = httpx.Headers([(b"Accept", b"text/event-stream"), (b"Last-Event-ID", b"\xb2-\xb2")], encoding="latin-1")
    with live_trained.stream("GET", f"/v1/jobs/{trained.table}/events", headers=headers) as answer:
        assert [*kit.frames(answer.iter_lines())][-1].event == "end"


@contextmanager
def listening(client: httpx.Client, job_id: str) -> Any:
    """Frames as they come, gathered by another thread, until the stream ends."""
    got: list[Frame] = []

    def listen() -> None:
        with client.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as answer:
            for frame in kit.frames(answer.iter_lines()):
                got.append(frame)

    thread = threading.Thread(target=listen)
    thread.start()
    yield got
    thread.join(kit.PATIENCE)
    assert not thread.is_alive()


def test_what_happens_is_told_as_it_happens(house: Installation, live: httpx.Client) -> None:
    job_id = kit.submit(live)

    def seen(event: str) -> Callable[[], bool]:
        return lambda: any(frame.event == event for frame in got)

    with listening(live, job_id) as got:
        kit.until(seen("state"))
        attempt = run(house, job_id)
        write(house, job_id, train_loss={1: 1.0, 2: float("nan")})
        kit.until(seen("metrics"))
        with house.database.writing() as tx:
            events.note(tx, job_id, attempt, "log", {"line": "<b>&\nhello"})
        kit.until(seen("log"))
        write(house, job_id, train_loss={3: 0.5}, val_loss={3: 0.4})
        with house.database.writing() as tx:
            jobs.succeed(tx, job_id, attempt)
    assert [frame.json["data"]["to"] for frame in got if frame.event == "state"] == [
        "queued",
        "starting",
        "running",
        "succeeded",
    ]
    points = [said for kind, said in told(got) if kind == "point"]
    assert points == [("train/loss", 1, 1.0), ("train/loss", 2, "NaN"), ("train/loss", 3, 0.5), ("val/loss", 3, 0.4)]
    assert next(frame.json["data"] for frame in got if frame.event == "log") == {"line": "<b>&\nhello"}
    assert got[-1].event == "end"
    ids = [tuple(map(int, frame.id.split("-"))) for frame in got]
    assert ids == sorted(ids)


def test_silence_is_broken(live: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "SILENCE", 0.3)
    job_id = kit.submit(live)
    with listening(live, job_id) as got:
        kit.until(lambda: sum(bool(frame.comments) for frame in got) >= 2)
        live.post(f"/v1/jobs/{job_id}/cancel")
    assert not any(frame.id or frame.data for frame in got if frame.comments)
    assert got[-1].event == "end"


def test_a_stream_of_a_job_that_is_deleted_ends(live: httpx.Client) -> None:
    job_id = kit.submit(live)
    with listening(live, job_id) as got:
        kit.until(lambda: got)
        live.post(f"/v1/jobs/{job_id}/cancel")
        assert live.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert got[-1].event == "end"


def test_a_reader_who_leaves_is_not_missed(house: Installation, live: httpx.Client) -> None:
    job_id = kit.submit(live)
    for _ in range(5):
        with live.stream("GET", f"/v1/jobs/{job_id}/events", headers=STREAM) as answer:
            next(answer.iter_lines())
    time.sleep(0.6)
    assert live.get(f"/v1/jobs/{job_id}").status_code == 200


def test_an_unknown_job_has_no_stream(api: httpx.Client) -> None:
    kit.problem(api.get("/v1/jobs/job_none/events", headers=STREAM), 404, "not_found")


def test_logs(house: Installation, client: httpx.Client) -> None:
    job_id = kit.submit(client)
    assert client.get(f"/v1/jobs/{job_id}/logs").text == ""
    with house.database.writing() as tx:
        for line in ("<script>alert(1)</script>", "", "ünïcode"):
            events.note(tx, job_id, 1, "log", {"line": line})
        events.note(tx, job_id, 1, "warning", {"line": "no log"})
    answer = client.get(f"/v1/jobs/{job_id}/logs")
    assert answer.text == "<script>alert(1)</script>\n\nünïcode\n"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].endswith("; sandbox")
