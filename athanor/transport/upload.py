"""Uploads: a file that is read while it is sent."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from athanor.contract import Hints
from athanor.transport.download import Progress


class Upload(io.FileIO):
    """A file that calls `progress` with (bytes read, total bytes) after each read."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        super().__init__(path, "rb")
        self._progress = progress
        self._total = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(-1 if size is None else size) or b""
        if self._progress is not None and chunk:
            self._progress(self.tell(), self._total)
        return chunk


def parameters(hints: Hints | Mapping[str, Any]) -> dict[str, Any]:
    """The hints that are given, as parameters of a query. Raises pydantic.ValidationError."""
    given = Hints.model_validate(hints).model_dump(mode="json", exclude_defaults=True)
    return {name: json.dumps(value) if name == "features" else value for name, value in given.items()}
