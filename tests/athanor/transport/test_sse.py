"""Events over connections that break."""

import pytest

from athanor import Client, NotFound, Unreachable
from athanor.transport.sse import Parser, ServerEvent
from tests.athanor.stub import Reply, Stub, in_turn, problem

EVENTS = "/v1/jobs/job_1/events"
STREAM = {"Content-Type": "text/event-stream"}


def _read(*chunks: bytes) -> list[ServerEvent]:
    return list(Parser().read(chunks))


def test_events_are_cut_at_blank_lines_whatever_the_newline() -> None:
    text = ': hello\nid: 7\nevent: state\ndata: {"to":\ndata: "running"}\n\n'
    expected = [ServerEvent("state", {"to": "running"}, "7")]
    for newline in ("\n", "\r\n", "\r"):
        whole = text.replace("\n", newline).encode()
        assert _read(whole + b"\n" if newline == "\r" else whole) == expected
        assert _read(*(whole[at : at + 1] for at in range(len(whole))), b"\n") == expected


def test_line_separators_inside_json_do_not_cut() -> None:
    assert _read('data: {"text": "a\u2028b\x85c"}\n\n'.encode())[0].data == {"text": "a\u2028b\x85c"}


def test_an_event_cut_short_is_dropped_and_one_without_data_only_moves_the_id() -> None:
    parser = Parser()
    assert list(parser.read([b'id: 3\ndata:\n\nid: 4\ndata: {"half": 1}\n'])) == []
    assert parser.last_id == "4"


def test_a_broken_stream_goes_on_from_the_last_event(stub: Stub, client: Client) -> None:
    first = (
        b'id: 1\nevent: state\ndata: {"to": "running"}\n\nid: 2\nevent: metrics\ndata: {"series": {}, "next": 9}\n\n'
    )
    second = (
        b'id: 3\nevent: state\ndata: {"to": "succeeded"}\n\nid: 3\nevent: end\ndata: {}\n\nevent: late\ndata: {}\n\n'
    )
    away = problem(503, "starting", "not yet")
    stub.on("GET", EVENTS, in_turn(Reply(200, first, STREAM, promised=9999), away, Reply(200, second, STREAM)))
    told = list(client.stream("job_1"))
    assert [(event.kind, event.id) for event in told] == [
        ("state", "1"),
        ("metrics", "2"),
        ("state", "3"),
        ("end", "3"),
    ]
    assert told[1].metrics.next == 9
    assert [asked.headers.get("last-event-id") for asked in stub.asked] == [None, "2", "2"]
    assert stub.asked[0].headers["accept"] == "text/event-stream"


def test_a_stream_that_closes_without_an_end_is_opened_again(stub: Stub, client: Client) -> None:
    quiet = Reply(200, b": beat\n\n", STREAM)
    stub.on("GET", EVENTS, in_turn(quiet, quiet, Reply(200, b"event: end\ndata: {}\n\n", STREAM)))
    assert [event.kind for event in client.stream("job_1", last_event_id="5")] == ["end"]
    assert [asked.headers["last-event-id"] for asked in stub.asked] == ["5", "5", "5"]


def test_a_service_that_stays_away_is_given_up(stub: Stub, client: Client) -> None:
    stub.on("GET", EVENTS, Reply(200, b"", STREAM, promised=10))
    with pytest.raises(Unreachable):
        list(client.stream("job_1"))


def test_no_such_job(client: Client) -> None:
    with pytest.raises(NotFound):
        next(client.stream("job_1"))


def test_a_service_that_has_spoken_is_waited_for(stub: Stub, client: Client) -> None:
    first = Reply(200, b'id: 1\nevent: state\ndata: {"to": "running"}\n\n', STREAM, promised=9999)
    away = [problem(503, "starting", "not yet")] * 50
    stub.on("GET", EVENTS, in_turn(first, *away, Reply(200, b"event: end\ndata: {}\n\n", STREAM)))
    assert [event.kind for event in client.stream("job_1")] == ["state", "end"]
