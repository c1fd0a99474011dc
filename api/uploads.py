"""A multipart upload to a file on disk, piece by piece, with its digest."""

from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from streaming_form_data import StreamingFormDataParser
from streaming_form_data.targets import FileTarget, SHA256Target
from streaming_form_data.validators import MaxSizeValidator, ValidationError

from api.problems import Refused


class Upload:
    """The file in the form field `file`. `filename` and `sha256` are known once `receive` has returned."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self.limit = path, limit
        self._file = FileTarget(str(path), validator=MaxSizeValidator(limit))
        self._digest = SHA256Target()

    async def receive(self, request: Request) -> None:
        """Write the body to disk as it comes. Raises Refused."""
        try:
            parser = StreamingFormDataParser(headers=request.headers)
            parser.register("file", self._file)
            parser.register("file", self._digest)
            async for piece in request.stream():
                await run_in_threadpool(parser.data_received, piece)
        except ValidationError as error:
            raise Refused(
                413, "over_limit", f"the file is larger than max_upload_bytes = {self.limit:,} bytes"
            ) from error
        except Exception as error:
            if isinstance(error, Refused):
                raise
            raise Refused(400, "malformed_form", "send multipart/form-data with the data in a field 'file'") from error
        if not self.filename:
            raise Refused(400, "missing_file", "the form has no file in a field 'file'")

    @property
    def filename(self) -> str:
        return Path(self._file.multipart_filename or "").name

    @property
    def sha256(self) -> str:
        return str(self._digest.value)
