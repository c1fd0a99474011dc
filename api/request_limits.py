"""Request limits: no request is larger than its route allows. Each request gets an id."""

from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Refused, refuse
from api.row_files import is_file
from models.settings import Limits

UPLOADS = "/v1/datasets"
OVERHEAD = 64 * 1024
"""Bytes that a multipart form may add to the file in it."""
LONGEST_URL = 8 * 1024
CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""Of every answer without one of its own: a browser may do nothing."""
LARGEST_HEAD = 32 * 1024
MOST_HEADERS = 100
LONGEST_HEADER = 8 * 1024
LONGEST_CONTENT_TYPE = 512
"""In bytes. Parsers of this header take time in proportion to the square of its length."""


class RequestLimits:
    """Middleware that bounds the parts of a request, and adds X-Request-Id and the headers for browsers.

    It counts a body's bytes as they arrive, whatever Content-Length says.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    def _limit(self, path: str, content_type: str) -> tuple[str, int]:
        if path == UPLOADS or (path.endswith("/predict") and is_file(content_type)):
            return "max_upload_bytes", self.limits.max_upload_bytes + OVERHEAD
        if path.endswith("/predict"):
            return "max_predict_bytes", self.limits.max_predict_bytes
        return "max_body_bytes", self.limits.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope)
        request_id = uuid4().hex
        request.state.request_id = request_id
        name, limit = self._limit(scope["path"], request.headers.get("content-type", ""))
        seen = 0

        def too_large() -> Refused:
            return Refused(413, "over_limit", f"the body is larger than {name} = {limit:,} bytes")

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise too_large()
            return message

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
                if scope["path"].startswith("/v1/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refused = _refusal(scope)
        declared = request.headers.get("content-length", "")
        if refused is None and declared.isdecimal() and int(declared) > limit:
            refused = too_large()
        if refused is not None:
            answer = refuse(request, refused)
            answer.headers["Connection"] = "close"
            return await answer(scope, receive, named)
        await self.app(scope, counted, named)


def _refusal(scope: Scope) -> Refused | None:
    """Why the head of a request is refused, if it is. The server bounds only what arrives in several pieces."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_URL:
        return Refused(414, "over_limit", f"the URL is longer than {LONGEST_URL:,} bytes")
    if sum(len(name) + len(value) for name, value in headers) > LARGEST_HEAD:
        return Refused(431, "over_limit", f"the headers have more than {LARGEST_HEAD:,} bytes")
    if len(headers) > MOST_HEADERS:
        return Refused(431, "over_limit", f"the request has more than {MOST_HEADERS} headers")
    for name, value in headers:
        longest = LONGEST_CONTENT_TYPE if name == b"content-type" else LONGEST_HEADER
        if len(value) > longest:
            shown = name.decode("latin-1")[:50]
            return Refused(431, "over_limit", f"the header {shown} is longer than {longest:,} bytes")
    return None
