"""Failures of a training: a code, a message for the user, and whether a retry can help."""

from typing import Any

import torch
from pydantic import ValidationError

from athanor.processes import full_disk
from athanor.version import __version__
from models.errors import DataError, SpecError
from worker.training.loop import NonFinite

LONGEST_CAUSE = 300
"""Characters of a validation error that are kept. pydantic's message lists all known parts."""


class UnknownPart(ValueError):
    """The spec names a part that this version does not know. A newer version has accepted the spec."""

    def __init__(self, error: ValidationError) -> None:
        first = error.errors(include_url=False, include_input=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        super().__init__(f"{pointer}: {first['msg']}"[:LONGEST_CAUSE])


def explain(error: Exception) -> dict[str, Any]:
    """The fields `code`, `message` and `retryable` of a Failure message."""
    match error:
        case NonFinite():
            hint = "try a lower learning rate, clip_norm, or a warm-up; look for extreme values in the data"
            return {"code": "non_finite_loss", "message": f"{error}: {hint}", "retryable": False}
        case UnknownPart():
            version = f"this worker runs version {__version__} and does not know a part of the spec"
            message = f"{version}; update the worker or restart it ({error})"
            return {"code": "unknown_part", "message": message, "retryable": True}
        case DataError():
            return {"code": "data", "message": str(error), "retryable": False}
        case SpecError():
            return {"code": "spec", "message": f"{error.pointer}: {error.message}", "retryable": False}
        case torch.OutOfMemoryError() | MemoryError():
            return _out_of_memory(str(error))
        case RuntimeError() if "can't allocate memory" in str(error) or "not enough memory" in str(error):
            return _out_of_memory(str(error))
        case RuntimeError() if str(error).startswith("DataLoader "):
            return {"code": "data_worker", "message": str(error), "retryable": True}
        case OSError() if full_disk.is_to_blame(error):
            return {"code": full_disk.CODE, "message": str(error), "retryable": True}
    said = f"{type(error).__name__}: {error}"
    message = f"internal error: {said}; see the worker's log"
    return {"code": "internal", "message": message, "retryable": isinstance(error, OSError)}


def _out_of_memory(said: str) -> dict[str, Any]:
    first = said.partition("\n")[0]
    held = ""
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        held = f" ({(total - free) / 2**30:.1f} of {total / 2**30:.1f} GiB of the device were in use)"
    return {
        "code": "out_of_memory",
        "message": f"{first}{held}: use a smaller batch_size or a smaller network",
        "retryable": False,
    }
