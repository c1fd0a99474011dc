"""Body limits: no request body is larger than its route allows. Each request gets an id."""

from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Refused, respond
from models.settings import Limits

UPLOADS = "/v1/datasets"
OVERHEAD = 64 * 1024
"""Bytes that a multipart form may add to the file in it."""


class BodyLimits:
    """Middleware that counts a body's bytes as they arrive, whatever Content-Length says, and adds X-Request-Id."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    def _limit(self, path: str) -> tuple[str, int]:
        if path == UPLOADS:
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
        name, limit = self._limit(scope["path"])
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
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            refused = too_large()
            answer = respond(request, 413, refused.code, refused.detail, headers={"Connection": "close"})
            return await answer(scope, receive, named)
        await self.app(scope, counted, named)
