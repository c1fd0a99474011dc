"""File downloads: whole files and byte ranges, with digests, and 304 if the client already has the file."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import Response, StreamingResponse

from api.etags import known
from api.openapi import TAG, UNCHANGED, Answers
from api.problems import respond
from api.ranges import Unsatisfiable, parse

BYTES = "application/octet-stream"


@dataclass(frozen=True)
class Conditions:
    """The request headers Range, If-Range and If-None-Match."""

    range: str | None
    if_range: str | None
    if_none_match: str | None


def _conditions(
    range_: Annotated[str | None, Header(alias="range")] = None,
    if_range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Conditions:
    return Conditions(range_, if_range, if_none_match)


Conditional = Annotated[Conditions, Depends(_conditions)]


@dataclass(frozen=True)
class Download:
    """A file to send. `name` is the suggested file name; `read(start, stop)` yields the bytes in [start, stop)."""

    name: str
    size: int
    sha256: str
    read: Callable[[int, int], Iterator[bytes]]
    media_type: str = BYTES


def answers(*media_types: str, **more: dict[str, Any]) -> Answers:
    """The answers of `send` as a route declares them, with `more` headers."""
    text = {"schema": {"type": "string"}}
    headers = TAG | {"Repr-Digest": text, "Content-Disposition": text, "Accept-Ranges": text} | more
    content = {each: {"schema": {"type": "string", "format": "binary"}} for each in media_types}
    part = {"Content-Range": {"description": "`bytes first-last/size`", "required": True, **text}}
    return UNCHANGED | {
        200: {"description": "The whole file.", "content": content, "headers": headers},
        206: {"description": "The range.", "content": content, "headers": headers | part},
    }


def send(request: Request, file: Download, wanted: Conditions, more: dict[str, str] | None = None) -> Response:
    """Answer with 200, 206, 304 or 416. The ETag and `Repr-Digest` are the SHA-256; HEAD has the headers of GET."""
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
        "Content-Disposition": f'attachment; filename="{file.name}"',
        **(more or {}),
    }
    if known(wanted.if_none_match, etag):
        return Response(status_code=304, headers=headers)
    try:
        # RFC 9110 §14.2: Range applies to GET only.
        ranged = wanted.range if request.method == "GET" and wanted.if_range in (None, etag) else None
        part = parse(ranged, file.size)
    except Unsatisfiable:
        outside = {"Content-Range": f"bytes */{file.size}"}
        detail = f"the file has {file.size} bytes"
        return respond(request, 416, "range_not_satisfiable", detail, headers=outside)
    start, stop = part or (0, file.size)
    headers["Content-Length"] = str(stop - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
    status = 206 if part is not None else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=file.media_type)
    return StreamingResponse(file.read(start, stop), status, headers, media_type=file.media_type)
