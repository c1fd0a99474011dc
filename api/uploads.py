"""Multipart uploads: written to disk and hashed as they arrive."""

import hashlib
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from streaming_form_data import StreamingFormDataParser
from streaming_form_data.targets import BaseTarget
from streaming_form_data.validators import MaxSizeValidator, ValidationError

from api.problems import Refused
from athanor.processes.left_behind import remove

LONGEST_NAME = 200
ABANDONED = 24 * 3600.0
"""Seconds after which the folder of an upload counts as left behind by a killed process."""


def tidy(scratch: Path, age: float) -> None:
    """Remove temporary folders older than `age` seconds: killed processes left them behind."""
    for folder in scratch.glob("tmp*"):
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > age:
                remove(folder)


class _Kept(BaseTarget):  # type: ignore[misc]  # untyped
    """A parser target that writes the file of a form to disk and hashes it. `limit` is in bytes."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(MaxSizeValidator(limit))
        self.path, self.digest, self.is_whole = path, hashlib.sha256(), False
        self.file: BinaryIO | None = None

    def on_start(self) -> None:
        if self.file is not None:
            raise Refused(400, "several_files", "the form has several files; send each file in a request of its own")
        self.file = self.path.open("wb")

    def on_data_received(self, chunk: bytes) -> None:
        assert self.file is not None
        self.digest.update(chunk)
        self.file.write(chunk)

    def on_finish(self) -> None:
        self.close()
        self.is_whole = True

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


class Upload:
    """The file in the form field `file`. `filename` and `sha256` are known after `receive`."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, limit
        self._kept = _Kept(path, limit)

    async def receive(self, request: Request) -> None:
        """Write the body to disk as it arrives. Raises Refused, and OSError if the disk is full."""
        try:
            parser = StreamingFormDataParser(headers=request.headers)
            parser.register("file", self._kept)
            async for piece in request.stream():
                await run_in_threadpool(parser.data_received, piece)
        except ValidationError as error:
            raise Refused(
                413, "over_limit", f"the file is larger than max_upload_bytes = {self.limit:,} bytes"
            ) from error
        except (Refused, OSError):
            raise
        except Exception as error:
            raise Refused(
                400, "malformed_form", "send multipart/form-data with the file in the field 'file'"
            ) from error
        finally:
            self._kept.close()
        if not self.filename:
            raise Refused(400, "missing_file", "the form has no file in the field 'file'")
        # The parser reports no error if the body ends early.
        if not self._kept.is_whole:
            raise Refused(400, "malformed_form", "the form is incomplete: its closing boundary is missing")

    @property
    def filename(self) -> str:
        return Path(self._kept.multipart_filename or "").name[-LONGEST_NAME:]

    @property
    def sha256(self) -> str:
        return self._kept.digest.hexdigest()
