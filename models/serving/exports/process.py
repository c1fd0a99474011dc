"""Export in a child process with limits on memory and time: tracing needs much memory and is not thread-safe."""

import gc
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from athanor.contract import ExportFormat
from athanor.files import WEIGHTS
from athanor.processes import full_disk
from athanor.processes.bounded import Bounds, run_bounded
from athanor.processes.left_behind import check_file
from models.errors import SpecError
from models.serving.exports.order import Order
from models.serving.networks import PARENT

ORDER, ANSWER = "order.json", "answer.json"
LARGEST_ANSWER = 2**16
"""Bytes of the JSON that a child leaves."""
SUFFIXES: dict[ExportFormat, str] = {"onnx": ".onnx", "pt2": ".pt2", "bundle": ".zip"}


@dataclass(frozen=True)
class Exported:
    path: Path
    sha256: str
    max_difference: float | None
    """Of the exported model's outputs from the network's own. None for a bundle without an ONNX model."""


def run(order: Order, folder: Path, memory: int, seconds: int) -> Exported:
    """Export weights.safetensors, preparation.json and rows.parquet in `folder`. The export is written there too.

    Raises SpecError with the pointer ?format if the network cannot be exported, or not within `memory` bytes and
    `seconds`. Raises OSError if the disk is full.
    """
    (folder / ORDER).write_text(order.model_dump_json(by_alias=True))
    bounds = Bounds(memory, seconds, 8 * (folder / WEIGHTS).stat().st_size + (1 << 30))
    # torch needs a home folder. The network is traced on the processor, so GPUs are hidden.
    more = {"HOME": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = run_bounded(
            "models.serving.exports",
            [str(folder.absolute())],
            folder=folder,
            bounds=bounds,
            environment=more,
            warm=PARENT,
        )
    except TimeoutError as error:
        raise SpecError("?format", f"exporting took longer than {seconds} s", code="over_limit") from error
    try:
        check_file(folder / ANSWER, LARGEST_ANSWER)
        answer = json.loads((folder / ANSWER).read_text())
    except (OSError, ValueError):
        lines = done.errors.decode(errors="replace").strip().splitlines()
        raise SpecError(
            "?format",
            f"the process that exported it ended with {done.code}, perhaps for want of memory ({memory:,} bytes "
            f"are allowed)" + (f": {lines[-1][:300]}" if lines else ""),
            code="over_limit",
        ) from None
    if "refused" in answer:
        raise SpecError("?format", **answer["refused"])
    made = folder / f"export{SUFFIXES[order.format]}"
    check_file(made, bounds.file)
    with made.open("rb") as file:
        return Exported(made, hashlib.file_digest(file, "sha256").hexdigest(), answer["max_difference"])


def main(arguments: list[str] | None = None) -> int:
    """Run in the child: write the export, and a JSON file with the difference of its outputs or the error."""
    given = sys.argv[1:] if arguments is None else arguments
    folder = Path(given[0])
    try:
        (folder / ANSWER).write_text(json.dumps(_answer(folder)))
    except OSError as error:
        if not full_disk.is_to_blame(error):
            raise
        return full_disk.EXIT
    return 0


def _answer(folder: Path) -> dict[str, Any]:
    # Import here, in the child, so that the memory counts against its limit. Imported modules are never garbage.
    gc.disable()
    from models.serving.exports.export import export

    gc.enable()

    order = Order.model_validate_json((folder / ORDER).read_text())
    try:
        return {"max_difference": export(order, folder, folder / f"export{SUFFIXES[order.format]}")}
    except SpecError as error:
        return {"refused": {"message": error.message, "code": error.code, "suggestion": error.suggestion}}
