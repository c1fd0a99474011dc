"""The front of a real server: what a stranger without a key can hold or send."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from api import front
from api.warm_up import PARENTS
from tests.api import kit
from tests.api.kit import Installation
from tests.api.test_up import process

HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "
UPLOAD = b"POST /v1/datasets HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with kit.installation(tmp_path_factory.mktemp("front")) as house:
        yield house


@pytest.fixture
def port(house: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Of a server with the bounds of the front, where seconds are shorter."""
    monkeypatch.setattr(front, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(front, "BODY_WINDOW", 0.5)
    monkeypatch.setattr(front, "STALL_SECONDS", 0.5)
    config = front.config("127.0.0.1", kit.free_port())
    config.app, config.lifespan = house.app, "on"
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    kit.until(lambda: server.started)
    yield config.port
    server.should_exit = True
    thread.join(kit.PATIENCE)


def connect(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), 20)
    line.settimeout(20)
    return line


def answered(line: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and the body of an answer that ends with the connection."""
    with line:
        held = b""
        while piece := line.recv(2**16):
            held += piece
    head, _, body = held.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body or b"{}")


def sent(port: int, request: bytes) -> tuple[int, dict[str, Any]]:
    line = connect(port)
    line.sendall(request)
    return answered(line)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(40)), 431),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /?" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(101)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 9_000 + b"\r\n\r\n", 431),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: " + b"a;" * 300 + b"\r\n\r\n", 431),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 4_400 + b"\r\n\r\n", 400),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    ],
)
def test_a_head_that_is_too_large_or_wrong(port: int, request_: bytes, status: int) -> None:
    got, problem = sent(port, request_)
    assert (got, problem["status"]) == (status, status) and problem["detail"]


def test_trailers_are_bounded(port: int) -> None:
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with connect(port) as line:
        line.sendall(head)
        assert not until_closed(line, b"X-Trailer: " + b"y" * 2**14 + b"\r\n", 0.002)


def until_closed(line: socket.socket, piece: bytes, pause: float) -> bool:
    """Send a piece again and again, for ten seconds at most. Whether the server still takes it then."""
    began = time.monotonic()
    try:
        while time.monotonic() - began < 10:
            line.sendall(piece)
            time.sleep(pause)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def test_a_connection_without_a_request_is_ended_without_a_word(port: int) -> None:
    with connect(port) as line:
        assert line.recv(1) == b""


@pytest.mark.parametrize("begun", [b"G", HALF_A_HEAD, UPLOAD, UPLOAD + b"x" * 100])
def test_silence_is_ended(port: int, begun: bytes) -> None:
    line = connect(port)
    line.sendall(begun)
    began = time.monotonic()
    status, problem = answered(line)
    assert time.monotonic() - began < 3
    # The upload has no key, so it is refused before its body.
    assert (status, problem["code"]) in ((408, "too_slow"), (401, "unauthorized"))


@pytest.mark.parametrize("begun", [HALF_A_HEAD, UPLOAD])
def test_a_trickle_is_ended(port: int, house: Installation, begun: bytes) -> None:
    """One byte after another, with a valid key."""
    key = (
        f"\r\nAuthorization: {house.headers['Authorization']}\r\nContent-Type: multipart/form-data; boundary=b".encode()
    )
    with connect(port) as line:
        line.sendall(begun.replace(b"\r\n\r\n", key + b"\r\n\r\n"))
        assert not until_closed(line, b"y", 0.02)


def test_a_second_request_has_as_much_time(port: int) -> None:
    with connect(port) as line:
        for _ in range(2):
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(2**16).startswith(b"HTTP/1.1 200")
            time.sleep(1)
        line.sendall(HALF_A_HEAD)
        assert answered(line)[0] == 408


def test_a_slow_body_that_keeps_the_rate_arrives(port: int, house: Installation) -> None:
    def rows() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\na,b\n'
        for _ in range(15):
            time.sleep(0.1)
            yield b"1,2\n" * 500
        yield b"\r\n--b--\r\n"

    headers = house.headers | {"Content-Type": "multipart/form-data; boundary=b"}
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/datasets", content=rows(), headers=headers, timeout=60)
    assert answer.status_code == 201, answer.text


def test_much_at_once_is_parsed_in_pieces(port: int, house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of one byte take h11 the most time. Others have the loop after each piece."""
    parsed: list[int] = []
    plainly = H11Protocol.data_received

    def watched(self: H11Protocol, data: bytes) -> None:
        parsed.append(len(data))
        plainly(self, data)

    monkeypatch.setattr(H11Protocol, "data_received", watched)
    rows = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n % 7) for n in range(4_000))
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n' + rows + b"\r\n--b--\r\n"
    head = (
        "POST /v1/datasets HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        f"Authorization: {house.headers['Authorization']}\r\nTransfer-Encoding: chunked\r\n"
    )
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in form) + b"0\r\n\r\n"
    with connect(port) as line:
        # The second request has arrived before the first is answered.
        line.sendall(head.encode() + b"\r\n" + chunks + head.encode() + b"Connection: close\r\n\r\n" + chunks)
        held = b""
        while piece := line.recv(2**16):
            held += piece
    assert held.count(b"HTTP/1.1 201") == 1 and held.count(b"HTTP/1.1 200") == 1, held
    assert held.count(b'"rows":4000') == 2
    assert max(parsed) == front.PIECE and sum(parsed) > 2 * len(chunks)


def test_an_early_answer_does_not_end_the_parsing_of_the_rest(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece without bytes would be the end of the connection to h11."""
    monkeypatch.setattr(front, "PIECE", 16)
    parsed: list[int] = []
    answered_at: list[int] = []
    plainly, completed = H11Protocol.data_received, H11Protocol.on_response_complete

    def watched(self: H11Protocol, data: bytes) -> None:
        parsed.append(len(data))
        plainly(self, data)

    def complete(self: H11Protocol) -> None:
        answered_at.append(len(parsed))
        completed(self)

    monkeypatch.setattr(H11Protocol, "data_received", watched)
    monkeypatch.setattr(H11Protocol, "on_response_complete", complete)
    keyless = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
    with connect(port) as line:
        line.sendall(keyless + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        held = b""
        while piece := line.recv(2**16):
            held += piece
    assert [each[1:4] for each in held.split(b"HTTP/1.1")[1:]] == [b"401", b"200"]
    assert answered_at[0] < 60_000 // 16, "the answer came after the body"
    assert min(parsed) > 0


def test_an_answer_that_nobody_reads_is_dropped(port: int, house: Installation) -> None:
    large = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", port))
        line.settimeout(20)
        line.sendall(large * 100)
        time.sleep(3)
        got = 0
        with suppress(ConnectionResetError):
            while piece := line.recv(2**20):
                got += len(piece)
    whole = len(httpx.get(f"http://127.0.0.1:{port}/openapi.json", trust_env=False).content)
    assert got < 50 * whole


def test_a_few_unread_bytes_hold_no_connection(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than the transport reports: it is about to close, and waits for the client."""
    monkeypatch.setattr(front, "KEEP_ALIVE", 0.5)
    with ExitStack() as held:
        for _ in range(5):
            line = held.enter_context(socket.socket())
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            line.connect(("127.0.0.1", port))
            line.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 30)
        (listening,) = [
            each for each in psutil.Process().net_connections() if each.laddr.port == port and not each.raddr
        ]
        assert listening.status == "LISTEN"
        kit.until(lambda: _established(port) == 0, 20)


def _established(port: int) -> int:
    return sum(each.laddr.port == port and bool(each.raddr) for each in psutil.Process().net_connections())


def test_a_body_that_nobody_reads_is_not_parsed_for_long(port: int) -> None:
    """In chunks of one byte, without a key."""
    with connect(port) as line:
        line.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        began = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - began < 5:
                line.sendall(b"1\r\na\r\n" * 1000)
        assert time.monotonic() - began < 3


def test_too_many_connections(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "HEAD_SECONDS", 60.0)
    monkeypatch.setattr(front, "CONNECTIONS", 10)
    with ExitStack() as held:
        idle = []
        for _ in range(10):
            idle.append(held.enter_context(connect(port)))
            time.sleep(0.02)
        # One more makes the oldest go.
        assert sent(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0] == 200
        assert idle[0].recv(1) == b""


@pytest.mark.timeout(180)
def test_two_thousand_connections_harm_nobody(tmp_path: Path, house: Installation) -> None:
    """Half of them silent, half with half a head. The real bounds, in a process of its own."""
    port = kit.free_port()
    with kit.installation(tmp_path), ExitStack() as held:
        server = held.enter_context(process("api.serve", "--port", str(port), ATHANOR_DATA=str(tmp_path)))
        url = f"http://127.0.0.1:{port}/healthz"
        kit.until(lambda: _is_up(url), 60)
        before = psutil.Process(server.pid).memory_info().rss
        for number in range(2000):
            line = held.enter_context(connect(port))
            if number % 2:
                line.sendall(HALF_A_HEAD)
        with httpx.Client(trust_env=False, timeout=5) as client:
            for _ in range(50):
                assert client.get(url).status_code == 200
        assert psutil.Process(server.pid).memory_info().rss - before < 2**27


@pytest.mark.timeout(180)
def test_several_processes_answer_with_the_same_bounds(tmp_path: Path) -> None:
    port = kit.free_port()
    with (
        kit.installation(tmp_path),
        process("api.serve", "--port", str(port), "--processes", "2", ATHANOR_DATA=str(tmp_path)) as server,
    ):
        kit.until(lambda: _is_up(f"http://127.0.0.1:{port}/healthz"), 60)
        assert sent(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 9_000 + b"\r\n\r\n")[0] == 431
        children = [each for each in psutil.Process(server.pid).children() if "spawn_main" in " ".join(each.cmdline())]
        assert len(children) == 2
        # Each of them gets ready for the first upload and the first prediction.
        kit.until(lambda: all(len(each.children()) == len(PARENTS) for each in children), 90)
        server.terminate()
        assert server.wait(30) == 0
    kit.until(lambda: not any(each.is_running() for each in children))


def _is_up(url: str) -> bool:
    try:
        # It is asked many times a second, and would read the certificates of the system each time.
        return httpx.get(url, trust_env=False, verify=False).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("path", "needs_key"), [("/healthz", False), ("/openapi.json", False), ("/v1/jobs", True), ("/v1/nothing", True)]
)
def test_headers_for_browsers(port: int, house: Installation, path: str, needs_key: bool) -> None:
    for headers in ({}, house.headers):
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
        assert (answer.headers.get("Cache-Control") == "no-store") == needs_key


def test_the_name_of_the_host_is_in_no_answer(port: int, house: Installation) -> None:
    headers = house.headers | {"Host": "evil.example"}
    for path in (
        "/v1/jobs/",
        "/v1//jobs",
        "/docs/",
        "/",
        "/v1/jobs",
        "/openapi.json",
        "/docs",
        "/v1/jobs?a=1",
    ):
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False)
        assert "evil" not in answer.text and "evil" not in str(answer.headers), path
