"""A file as an answer: whole or a range of it, checked by digest, and not at all where the caller has it already."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import Response, StreamingResponse

from api.etags import known
from api.problems import respond
from api.ranges import Unsatisfiable, parse


@dataclass(frozen=True)
class Conditions:
    """Which part of a file is wanted, and unless what."""

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
    """A file, its name for the caller, and how to read it from byte `start` up to `stop`."""

    name: str
    size: int
    sha256: str
    read: Callable[[int, int], Iterator[bytes]]
    media_type: str = "application/octet-stream"


def send(request: Request, file: Download, wanted: Conditions, more: dict[str, str] | None = None) -> Response:
    """200, 206, 304 or 416. HEAD is GET without the body; the ETag is the sha256, `Repr-Digest` the same again."""
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        **(more or {}),
    }
    if known(wanted.if_none_match, etag):
        return Response(status_code=304, headers=headers)
    try:
        # RFC 9110 §14.2: a range is asked for by GET alone.
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
