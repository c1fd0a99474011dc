"""A small real HTTP server that answers as a test tells it to, and remembers what it was asked."""

import hashlib
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """`promised` may be more than the bytes in `body`: the connection then breaks in the middle."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None


Answer = Callable[[Asked], Reply]


class Stub:
    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.answers: dict[tuple[str, str], Answer] = {}

    def on(self, method: str, path: str, answer: Answer | Reply) -> None:
        self.answers[method, path] = (lambda _: answer) if isinstance(answer, Reply) else answer

    def reply(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        answer = self.answers.get((asked.method, asked.path))
        return answer(asked) if answer else problem(404, "not_found", f"nothing at {asked.path}")


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def problem(status: int, code: str, detail: str, **more: Any) -> Reply:
    body = {"title": code, "status": status, "detail": detail, "code": code, **more}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json"})


def in_turn(*replies: Reply) -> Answer:
    """Each once, the last for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def weights(body: bytes, sha256: str | None = None, breaks_at: int | None = None) -> Answer:
    """Weights with ETag, Repr-Digest, Range and If-Range; the first whole answer stops after `breaks_at` bytes."""
    digest = sha256 or hashlib.sha256(body).hexdigest()
    breaks = [breaks_at] if breaks_at is not None else []

    def answer(asked: Asked) -> Reply:
        headers = {"ETag": f'"{digest}"', "Repr-Digest": f"sha-256=:{b64encode(bytes.fromhex(digest)).decode()}:"}
        if asked.method == "HEAD":
            return Reply(200, b"", headers, promised=len(body))
        start = asked.headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if start and asked.headers.get("if-range") == headers["ETag"]:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            return Reply(206, body[int(start) :], headers)
        sent = breaks.pop() if breaks else len(body)
        return Reply(200, body[:sent], headers, promised=len(body))

    return answer


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is part of the tests; anything else fails the test that asked."""


@contextmanager
def serve(port: int = 0) -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            address = urlsplit(self.path)
            reply = stub.reply(
                Asked(
                    self.command,
                    address.path,
                    parse_qs(address.query),
                    {name.lower(): value for name, value in self.headers.items()},
                    self._body(),
                )
            )
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            length = len(reply.body) if reply.promised is None else reply.promised
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
                self.close_connection = length != len(reply.body)

        do_GET = do_HEAD = do_POST = do_DELETE = answer

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: a test that fails prints what was asked."""

    server = Quiet(("127.0.0.1", port), Handler)
    stub = Stub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
