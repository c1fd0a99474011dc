"""Multipart uploads: written to disk and hashed as they arrive."""

import hashlib
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from fastapi import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from api.problems import Refused
from athanor.processes.left_behind import remove

FIELD = "file"
LONGEST_NAME = 200
ABANDONED = 24 * 3600.0
"""Seconds after which the folder of an upload counts as left behind by a killed process."""


def tidy(scratch: Path, age: float) -> None:
    """Remove temporary folders older than `age` seconds: killed processes left them behind."""
    for folder in scratch.glob("tmp*"):
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > age:
                remove(folder)


class Upload:
    """The file in the form field `file`. `filename` and `sha256` are known after `receive`."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, limit
        self.filename = ""
        self._digest = hashlib.sha256()
        self._size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def receive(self, request: Request) -> None:
        """Write the body to disk as it arrives. Raises Refused, and OSError if the disk is full."""
        media_type, options = parse_options_header(request.headers.get("content-type", ""))
        if media_type != "multipart/form-data" or not options.get("boundary"):
            _refuse("")
        try:
            # A form with one part. The parser bounds the heads of parts, too.
            with self.path.open("wb") as file, PushMultipartParser(options["boundary"], max_segment_count=1) as parser:
                async for piece in request.stream():
                    if piece:
                        await run_in_threadpool(self._parse, parser, piece, file)
        except MultipartError as error:
            if "count exceeded" in str(error) and self.filename:
                raise Refused(
                    400, "several_parts", f"send one file in a form with the field '{FIELD}' alone; the form has more"
                ) from error
            _refuse(f": {error}")
        if not self.filename:
            raise Refused(400, "missing_file", f"the form has no file in the field '{FIELD}'")

    async def receive_bare(self, request: Request, filename: str) -> None:
        """Write a body that is the file itself, and has this name. Raises Refused, and OSError if the disk is full."""
        with self.path.open("wb") as file:
            async for piece in request.stream():
                if piece:
                    await run_in_threadpool(self._keep, piece, file)
        self.filename = filename

    def _parse(self, parser: PushMultipartParser, piece: bytes, file: BinaryIO) -> None:
        for part in parser.parse(piece):
            if isinstance(part, MultipartSegment):
                if part.name != FIELD:
                    raise Refused(400, "missing_file", f"the form's first field is not '{FIELD}'; send it alone")
                self.filename = Path(part.filename or "").name[-LONGEST_NAME:]
            elif part is not None:
                self._keep(part, file)

    def _keep(self, piece: bytes | bytearray, file: BinaryIO) -> None:
        self._size += len(piece)
        if self._size > self.limit:
            raise Refused(413, "over_limit", f"the file is larger than max_upload_bytes = {self.limit:,} bytes")
        self._digest.update(piece)
        file.write(piece)


def _refuse(why: str) -> NoReturn:
    raise Refused(400, "malformed_form", f"send multipart/form-data with the file in the field '{FIELD}'{why}")
