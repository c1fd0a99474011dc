"""The front: HTTP/1.1 with bounds on what a stranger without a key can hold or send.

uvicorn has no such bounds. h11 bounds the bytes of a head, of a chunk's header and of trailers (LARGEST_HEAD).
"""

import asyncio
import resource
import socket
import sys
from http import HTTPStatus
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.problems import PROBLEM
from api.request_limits import LARGEST_HEAD
from api.warm_up import lasting
from athanor.contract import Problem

HEAD_SECONDS = 10.0
"""From the start of a connection, or of a request, to the end of its head; also for a body that nobody reads."""
BODY_WINDOW = 10.0
"""Seconds over which a body must bring BODY_RATE bytes a second, unless the service does not read meanwhile."""
BODY_RATE = 1024
STALL_SECONDS = 60.0
"""Seconds between two checks whether a client has read some of the answer that is ready for it."""
REST_BYTES = 64 * 1024
"""Bytes of a body that are read although the request is answered. Small clients send the body in any case."""
PIECE = 16 * 1024
"""Bytes that are parsed at once. Of a body in chunks of one byte, h11 parses this many in some 20 ms."""
KEEP_ALIVE = 30
"""Seconds between two requests on a connection."""
CONNECTIONS = 4000
SPARE_FILES = 256
"""Files that the rest of the process may open."""


class HoldingFlow(FlowControl):
    """Reads nothing from a connection while it is held, because much of it is not parsed yet.

    The reader of a body may want more meanwhile; it gets it after the release.
    """

    _is_held = False

    def hold(self) -> None:
        self._is_held = True
        self._transport.pause_reading()

    def release(self) -> None:
        self._is_held = False
        if not self.read_paused:
            self._transport.resume_reading()

    def resume_reading(self) -> None:
        if self._is_held:
            self.read_paused = False
        else:
            super().resume_reading()


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol in Python, with bounds on time and on connections.

    Of too many connections, the one that has been idle for the longest time is closed.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._awaits: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None
        self._unread, self._has_drained = 0, False
        self._received = self._dropped = 0
        self._unparsed = bytearray()
        self._parser: asyncio.Handle | None = None
        self._since = self.loop.time()
        super().connection_made(transport)
        self.flow: HoldingFlow = HoldingFlow(transport)
        if len(self.connections) > most_connections() and not self._take_from_an_idle_one():
            return self._refuse(503, "busy", "too many connections are open; send this again later")
        self._expect()
        self._reader = self.loop.call_later(STALL_SECONDS, self._check_reader)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._awaits == "rest":
            # Nobody reads this body. Parsing much of it would take time from others.
            self._dropped += len(data)
            if self._dropped > REST_BYTES:
                return self.transport.abort()
        if self._unparsed or len(data) > PIECE:
            # Each time: uvicorn itself lets a connection be read again when a body has ended.
            self.flow.hold()
            self._unparsed += data
            self._parse_soon()
        else:
            super().data_received(data)
            self._expect()

    def _parse_soon(self) -> None:
        # Once at a time: to h11, a piece without bytes is the end of the connection.
        if self._unparsed and self._parser is None:
            self._parser = self.loop.call_soon(self._parse)

    def _parse(self) -> None:
        """Parse a piece of what has arrived, and let others have the loop before the next."""
        self._parser = None
        if self.transport.is_closing() or self.conn.their_state is h11.DONE:
            # The next request waits for the answer to this one: `on_response_complete` goes on.
            return
        super().data_received(bytes(self._unparsed[:PIECE]))
        del self._unparsed[:PIECE]
        if self._unparsed:
            self._parse_soon()
        else:
            self.flow.release()
        self._expect()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._parse_soon()
        self._since = self.loop.time()
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._reader):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._has_drained = True

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP. uvicorn calls it while it handles h11's error."""
        hint = getattr(sys.exc_info()[1], "error_status_hint", 400)
        # h11 proposes 501 for an unknown transfer coding. It is the request that is wrong.
        status = hint if hint < 500 else 400
        if status == 431:
            return self._refuse(431, "over_limit", f"the head of a request has at most {LARGEST_HEAD:,} bytes")
        self._refuse(status, "malformed_request", "this is not an HTTP/1.1 request that the service can read")

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered, or has brought more than a part of its head."""
        return (
            not self._unparsed
            and self.conn.their_state is h11.IDLE
            and (self.cycle is None or self.cycle.response_complete)
        )

    def _expect(self) -> None:
        """Set the timer for what the client has to send next."""
        awaits = self._awaited()
        if awaits == self._awaits:
            return
        self._awaits = awaits
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if awaits == "body":
            self._timer = self.loop.call_later(BODY_WINDOW, self._check_rate, self._received)
        elif awaits == "request":
            self._timer = self.loop.call_later(KEEP_ALIVE, self.transport.close)
        elif awaits is not None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._time_out)

    def _awaited(self) -> str | None:
        if self.transport.is_closing():
            return None
        if self.conn.their_state is h11.IDLE:
            is_begun = self.cycle is None or bool(self.conn.trailing_data[0])
            return "head" if is_begun else "request"
        if self.conn.their_state is h11.SEND_BODY:
            return "rest" if self.cycle.response_complete else "body"
        return None

    def _check_rate(self, received: int) -> None:
        is_due = not self._unparsed and not self.flow.read_paused and not self.cycle.waiting_for_100_continue
        if is_due and self._received - received < BODY_RATE * BODY_WINDOW:
            return self._time_out()
        self._timer = self.loop.call_later(BODY_WINDOW, self._check_rate, self._received)

    def _check_reader(self) -> None:
        """End the connection if the client has read nothing of what was ready for it at the last check."""
        unread = self.transport.get_write_buffer_size()
        if 0 < self._unread <= unread and not self._has_drained:
            return self.transport.abort()
        self._unread, self._has_drained = unread, False
        self._reader = self.loop.call_later(STALL_SECONDS, self._check_reader)

    def _time_out(self) -> None:
        if not self._received:
            # An answer could be taken for that to the first request.
            return self.transport.close()
        self._refuse(408, "too_slow", "the request did not arrive in time; send this again")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Answer, if no answer has begun, and close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            title = HTTPStatus(status).phrase
            body = Problem(title=title, status=status, detail=detail, code=code).model_dump_json(exclude_none=True)
            head = (
                f"HTTP/1.1 {status} {title}\r\ncontent-type: {PROBLEM}\r\n"
                f"content-length: {len(body.encode())}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body.encode())
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _take_from_an_idle_one(self) -> bool:
        """Close the connection that has been idle for the longest time. False if none is."""
        others = (cast(BoundedProtocol, each) for each in self.connections if each is not self)
        idle = [each for each in others if each.is_idle or each.transport.is_closing()]
        if not idle:
            return False
        min(idle, key=lambda each: each._since).transport.abort()
        return True


def most_connections() -> int:
    """CONNECTIONS, or as many as this process may open files for."""
    return min(CONNECTIONS, max(SPARE_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES))


def config(host: str, port: int, **more: Any) -> uvicorn.Config:
    """uvicorn's configuration of the service, with `more` options. It raises the limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, CONNECTIONS + SPARE_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    return uvicorn.Config(
        "api.app:app",
        host=host,
        port=port,
        http=BoundedProtocol,
        ws="none",
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=3,
        access_log=False,
        log_level="warning",
        server_header=False,
        **more,
    )


def load(config: uvicorn.Config) -> None:
    """Import the application, which takes a fifth longer if its modules are searched for garbage meanwhile."""
    with lasting():
        config.load()


class Server(uvicorn.Server):
    """A server that prints `message` once it accepts requests."""

    def __init__(self, config: uvicorn.Config, message: str = "") -> None:
        super().__init__(config)
        self.message = message

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.message:
            print(self.message, flush=True)
