"""Predict the rows of a file in a child process of its own, so that requests for the same checkpoint never wait."""

import errno
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from athanor.contract import Fault, PredictedFile
from athanor.processes import full_disk
from athanor.processes.bounded import Bounds, Child
from athanor.processes.left_behind import check_file
from models.data.formats.limits import GIB, MIB, Limits, OverLimit
from models.errors import DataError, SpecError
from models.serving.networks import PARENT
from models.serving.predictor_process import Died, Order

MODULE = "models.serving.file_process"
ORDER, ROWS, ANSWERS = "order.json", "rows", "answers"
LARGEST_OUTPUT = 2**17
"""Bytes of what the child says besides the answers."""
LEAST_ANSWERS, EACH_BYTE, MOST_ANSWERS = 64 * MIB, 256, 32 * GIB
"""Bytes of answers: so many for any file, more for each of its bytes, and never more than the last."""
RATE, LONGEST = 2_000, 3_600
"""Bytes of the file for which it may take another second of a processor, and the most seconds of any file."""
WALL = 4
"""A child may take this many times its processor time, because it may have to wait for a processor."""
TICK = 0.2
"""Seconds after which it is noticed that nobody waits for the answer."""


class FileOrder(Order):
    """What a child loads from its folder, besides the checkpoint and the rows."""

    format: str
    dialect: dict[str, Any]
    """How the dataset of the job was read."""
    limits: dict[str, Any] = Field(default_factory=dict)


class _Told(BaseModel):
    """What the child prints: a summary, or a fault of the file."""

    predicted: PredictedFile | None = None
    fault: Fault | None = None


class Unanswered(Exception):
    """The file cannot be predicted. `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Abandoned(Exception):
    """Nobody waits for the answer any more. The child was killed."""


@dataclass(frozen=True)
class Answered:
    path: Path
    """The answers, in the form of the rows."""
    predicted: PredictedFile


def run(order: FileOrder, folder: Path, memory: int, seconds: int, abandoned: threading.Event) -> Answered:
    """Predict the file ROWS in `folder`, which also has the files of the checkpoint.

    `seconds` of a processor are for a small file; a larger one may take longer. Raises Unanswered, Died and Abandoned,
    and OSError if the disk is full.
    """
    size = (folder / ROWS).stat().st_size
    order = order.model_copy(update={"limits": asdict(Limits().for_upload(size))})
    (folder / ORDER).write_text(order.model_dump_json(by_alias=True))
    largest = min(MOST_ANSWERS, LEAST_ANSWERS + EACH_BYTE * size)
    seconds = min(LONGEST, seconds + size // RATE)
    bounds = Bounds(memory, seconds, largest, LARGEST_OUTPUT, WALL * seconds)
    environment = {"HOME": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    child = Child(MODULE, [], folder=folder, bounds=bounds, environment=environment, warm=PARENT)
    with ThreadPoolExecutor(1) as reader, child:
        output = reader.submit(child.read)
        code = _wait(child, abandoned)
        child.process.kill()
        held = output.result()
    full_disk.pass_on(code)
    try:
        told = _Told.model_validate_json(held)
    except ValidationError:
        told = _Told()
    if told.fault is not None:
        raise Unanswered(told.fault)
    if told.predicted is None or told.predicted.checkpoint_id != order.checkpoint_id or code:
        raise Died.of("the process that predicted the file", child, code, memory, seconds)
    check_file(folder / ANSWERS, largest)
    return Answered(folder / ANSWERS, told.predicted)


def _wait(child: Child, abandoned: threading.Event) -> int:
    """The exit code. A child that takes too long is killed. Raises Abandoned."""
    late = time.monotonic() + WALL * child.bounds.seconds
    while True:
        try:
            return child.process.wait(TICK)
        except subprocess.TimeoutExpired:
            if abandoned.is_set():
                raise Abandoned from None
            if time.monotonic() > late:
                child.process.kill()


def main() -> int:
    """Run in the child: print one line of JSON with the summary, or with a fault."""
    import torch

    from models.serving.prediction import Predictor
    from models.serving.row_file import predict

    torch.set_num_threads(1)
    folder = Path.cwd()
    order = FileOrder.model_validate_json((folder / ORDER).read_text())
    try:
        predictor = Predictor.load(order.resolved, order.dataset_schema, folder)
        limits = Limits(**order.limits)
        rows, remarks = predict(predictor, folder / ROWS, order.format, order.dialect, limits, folder / ANSWERS)
        told = _Told(predicted=PredictedFile(checkpoint_id=order.checkpoint_id, rows=rows, **remarks.model_dump()))
    except SpecError as error:
        told = _fault(error.pointer, error.code, error.message, error.suggestion)
    except OverLimit as error:
        told = _fault("", "over_limit", str(error))
    except DataError as error:
        told = _fault("", "data", str(error))
    except OSError as error:
        if full_disk.is_to_blame(error):
            return full_disk.EXIT
        if error.errno != errno.EFBIG:
            raise
        told = _fault("", "over_limit", "the answers are too large; send fewer rows at a time")
    print(told.model_dump_json())
    return 0


def _fault(pointer: str, code: str, message: str, suggestion: str | None = None) -> _Told:
    return _Told(fault=Fault(pointer=pointer[:1000], code=code, message=message[:4000], suggestion=suggestion))


if __name__ == "__main__":
    sys.exit(main())
