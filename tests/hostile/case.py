"""A case: something that a stranger sends, and what it may cost."""

import json
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

MIB = 2**20
REFUSED_SECONDS, READ_SECONDS = 2.0, 5.0
MEMORY = 256 * MIB
"""Bytes beyond what API and children use at rest."""
OTHERS_SECONDS = 0.25
"""That somebody else waits at most. Sender, watcher and service share the processors."""
EITHER = None
"""For `is_accepted`: what is sent may be refused, or be accepted within its bounds."""
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Unused, and shared: a client makes one of its own in 30 ms of a processor, which would count as the service's."""


def visitor(port: int, seconds: float) -> httpx.Client:
    """A client of the service on `port` that waits for `seconds`."""
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=seconds, trust_env=False, verify=TLS)


@dataclass(frozen=True)
class Answer:
    """What the service said. A connection that it closed without a word has the status 0."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Target:
    """A running service, and the ids of what is in it."""

    port: int
    key: str
    job: str
    """A job that has ended well, with a checkpoint."""
    checkpoint: str
    queued: str
    """A job that no worker takes."""
    wide: str
    """A dataset with thousands of columns with long names."""
    long: str
    """A dataset with a long text in each row."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def fill(self, path: str) -> str:
        """The path of a route with real ids in it."""
        return path.format(job_id=self.job, checkpoint_id=self.checkpoint, dataset_id=self.long)

    def request(self, method: str, path: str, **rest: Any) -> Answer:
        """A well-formed request with a key."""
        headers = self.headers | rest.pop("headers", {})
        with visitor(self.port, 120) as client:
            try:
                answer = client.request(method, self.fill(path), headers=headers, **rest)
            except (httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadError):
                return Answer(0, b"")
            return Answer(answer.status_code, answer.content)

    def raw(self, *pieces: bytes, seconds: float = 60) -> Answer:
        """Bytes on a connection of their own, and what comes back before it ends or its first answer is whole."""
        held = b""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as line:
            try:
                for piece in pieces:
                    line.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                while (answer := _first(held)) is None and (piece := line.recv(2**16)):
                    held += piece
            except ConnectionResetError:
                pass
        head, _, body = held.partition(b"\r\n\r\n")
        return answer or Answer(int(head.split()[1]) if head else 0, body)


def _first(held: bytes) -> Answer | None:
    """The first answer, if it has a length and has arrived."""
    head, end, body = held.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if not end or length is None or len(body) < int(length[1]):
        return None
    return Answer(int(head.split()[1]), body[: int(length[1])])


@dataclass(frozen=True)
class Case:
    """Something hostile. `covers` names routes (`POST /v1/jobs`), formats (`format csv`) and children (`child …`)."""

    name: str
    send: Callable[..., Answer]
    """Takes the target and, with `prepare`, the content."""
    covers: frozenset[str] = field(default_factory=frozenset)
    is_accepted: bool | None = False
    """Whether it is costly and yet right, or EITHER."""
    seconds: float = REFUSED_SECONDS
    memory: int = MEMORY
    silent: bool = False
    """Whether the service may close the connection without a word."""
    others: float = OTHERS_SECONDS
    prepare: Callable[[], bytes] | None = None
    """Makes the content, which may take longer than the service does with it."""

    def ready(self) -> Callable[[Target], Answer]:
        """What sends the case. Its content, which is large, lives as long."""
        return self.send if self.prepare is None else partial(self.send, content=self.prepare())

    def fault(self, answer: Answer) -> str | None:
        """What is wrong with the answer, if anything is."""
        if answer.status == 0:
            return None if self.silent else "the connection was closed without a word"
        if answer.status >= 500 and answer.status != 503:
            return f"{answer.status}: {answer.body[:200]!r}"
        accepted = answer.status < 400
        if self.is_accepted is not None and accepted != self.is_accepted:
            return f"it was {'accepted' if accepted else 'refused'}: {answer.status} {answer.body[:200]!r}"
        if not accepted and answer.body and "code" not in answer.json:
            return f"the refusal is not a problem: {answer.body[:200]!r}"
        return None
