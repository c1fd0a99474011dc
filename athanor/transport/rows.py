"""Rows to predict: the body of a request, and files that are sent and come back with predictions."""

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from athanor.contract import PredictedFile
from athanor.errors import AthanorError
from athanor.transport.download import Progress
from athanor.transport.http import Transport
from athanor.transport.upload import Upload

SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet")
"""Of files of rows."""
REMARKS = "Athanor-Predictions"
PATIENCE = 4 * 3_600.0
"""Seconds to wait for the first byte: the answer begins when all rows are predicted."""


def body(rows: Sequence[Any], how: Mapping[str, Any]) -> dict[str, Any]:
    """A request in JSON. `how` are options of text generation; None is not sent."""
    return {"rows": [_cell(row) for row in rows], **{name: value for name, value in how.items() if value is not None}}


def _cell(row: Any) -> Any:
    if isinstance(row, bytes):
        return base64.b64encode(row).decode()
    return row.tolist() if hasattr(row, "tolist") else row


def predict_file(
    transport: Transport, url: str, rows: Path, answers: Path, checkpoint: str, progress: Progress | None = None
) -> PredictedFile:
    """Send the file `rows`, and write the answer to `answers`, which gets its name when it is whole."""
    part = answers.with_name(answers.name + ".part")
    # Now, and not when all rows are predicted: the folder may be missing.
    part.touch()
    try:
        with (
            Upload(rows, progress) as file,
            transport.open(
                url,
                method="POST",
                params={"checkpoint": checkpoint},
                files={"file": (rows.name, file)},
                headers={},
                timeout=PATIENCE,
            ) as response,
        ):
            try:
                found = PredictedFile.model_validate_json(response.headers.get(REMARKS, ""))
            except ValidationError as error:
                raise AthanorError(f"the service at {transport.url} does not predict files; update it") from error
            with part.open("wb") as written:
                for piece in response.iter_bytes():
                    written.write(piece)
        os.replace(part, answers)
    finally:
        part.unlink(missing_ok=True)
    return found
