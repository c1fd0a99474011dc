"""Server-sent events: a job's events as they happen, with reconnection."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from athanor.contract import Metrics
from athanor.errors import ServiceUnavailable, Unreachable
from athanor.transport.http import Transport, backoff
from athanor.transport.outage import FIRST_CONTACT

# The service sends a comment at least every 15 s, so a longer silence is a dead connection.
SILENCE = 45.0


@dataclass(frozen=True)
class ServerEvent:
    """An event of the stream. `kind` is state, metrics, checkpoint, log or warning; the last event is end."""

    kind: str
    data: dict[str, Any]
    id: str | None

    @property
    def metrics(self) -> Metrics:
        """The points of a `metrics` event. Raises ValueError for any other kind."""
        return Metrics.model_validate(self.data)


def listen(transport: Transport, path: str, last_id: str | None = None) -> Iterator[ServerEvent]:
    """Yield events until `end`. After a broken connection, connect again and continue after the last event.

    There is no time limit for this. Raises Unreachable if the first event does not arrive within about 16 seconds.
    """
    failures, has_answered = 0, False
    parser = Parser(last_id)
    while True:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if parser.last_id is not None:
            headers["Last-Event-ID"] = parser.last_id
        try:
            with transport.open(path, headers=headers, timeout=SILENCE) as response:
                if response.status_code == 204:
                    return
                for event in parser.read(response.iter_bytes()):
                    failures, has_answered = 0, True
                    yield event
                    if event.kind == "end":
                        return
        except (Unreachable, ServiceUnavailable):
            if not has_answered and failures + 1 >= FIRST_CONTACT:
                raise
        time.sleep(backoff(failures))
        failures += 1


class Parser:
    """Parses bytes into events. It keeps `last_id`, so that the next connection can continue after it."""

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = last_id

    def read(self, chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
        """Yield events. An incomplete event at the end is dropped. An event without data only sets `last_id`."""
        kind, data = "message", list[str]()
        for line in _lines(chunks):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if any(data):
                    yield ServerEvent(kind, _object("\n".join(data)), self.last_id)
                kind, data = "message", []
            elif field == "data":
                data.append(value)
            elif field == "event":
                kind = value
            elif field == "id" and "\0" not in value:
                self.last_id = value or None


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {"value": value}


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    # str.splitlines would also split at U+2028 and others, which may be inside a JSON string.
    held = b""
    for chunk in chunks:
        held += chunk
        # Keep a trailing CR for the next chunk, because it may be the first half of a CRLF.
        ready, cr = (held[:-1], b"\r") if held.endswith(b"\r") else (held, b"")
        *whole, rest = ready.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        held = rest + cr
        yield from (line.decode("utf-8", errors="replace") for line in whole)
