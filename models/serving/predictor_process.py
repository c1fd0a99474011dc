"""Predict in a child process with limits: rows and weights are a stranger's, and a network may need any memory."""

import json
import os
import queue
import subprocess
import sys
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ValidationError

from athanor.contract import Fault, Predictions, Rows, Schema
from athanor.files import WEIGHTS
from athanor.processes.bounded import Bounds, Child
from athanor.processes.left_behind import remove
from athanor.processes.parent_watch import hold
from models.errors import SpecError
from models.faults import fault
from models.json_body import MalformedJson, TooManyValues, parse
from models.planning.resolve import ResolvedSpec
from models.serving.networks import PARENT

MODULE = "models.serving.predictor_process"
ORDER = "order.json"
LARGEST_FILE = 2**26
"""Bytes of a file that the child may write. It needs only temporary files."""
LARGEST_ANSWER, LARGEST_FAULTS = 2**27, 2**16
"""Bytes of an answer, and of one that says what is wrong with the request."""
STATUSES = (b"answered", b"invalid", b"refused", b"malformed")
LONGEST_ERROR = 300
"""Characters of the last line of errors that a message repeats."""
LIFETIME = 3600
"""Seconds of processor time. A child that has used them ends, and the next request starts another."""
MOST_FAULTS = 50
MOST_VALUES = 10_000_000
"""Values of a body: the pixels of its images, for the most part."""


class Order(BaseModel):
    """What a child loads from its folder, besides weights.safetensors and preparation.json."""

    checkpoint_id: str
    resolved: ResolvedSpec
    dataset_schema: Schema


@dataclass(frozen=True)
class Outcome:
    """A child's answer. `content` is JSON: Predictions, a list of faults, one fault, or why it is no JSON."""

    status: Literal["answered", "invalid", "refused", "malformed"]
    content: bytes


class Died(Exception):
    """The child died, or was killed because it took too long. The message says so."""

    @classmethod
    def of(cls, process: str, child: Child, code: int, memory: int, seconds: int) -> Self:
        """Say what happened to a child, by its exit code and the last line of its errors."""
        lines = child.errors.decode(errors="replace").strip().splitlines()
        why = f" ({lines[-1][:LONGEST_ERROR]})" if lines else ""
        # Whether it reached a limit cannot be told from every error.
        return cls(f"{process} ended with {code}{why}; it may take {seconds} s and {memory:,} bytes of memory")


class PredictorProcess:
    """A child that has loaded one checkpoint. Only one thread at a time may use it."""

    def __init__(self, load: Callable[[Path], Order], scratch: Path, memory: int, seconds: int) -> None:
        """Start the child. `load` writes the files of the checkpoint to a folder. `seconds` bounds each answer.

        Raises Died, and what `load` raises.
        """
        self.memory, self.seconds = memory, seconds
        self.folder = Path(tempfile.mkdtemp(prefix="predict-", dir=scratch))
        try:
            (self.folder / ORDER).write_text(load(self.folder).model_dump_json(by_alias=True))
            self._child = Child(
                MODULE,
                [],
                folder=self.folder,
                bounds=Bounds(memory, LIFETIME, LARGEST_FILE, LARGEST_ANSWER),
                environment={"HOME": str(self.folder), "CUDA_VISIBLE_DEVICES": ""},
                warm=PARENT,
                is_asked=True,
            )
        except BaseException:
            remove(self.folder)
            raise
        try:
            self._ask(b"load")
            (self.folder / WEIGHTS).unlink(missing_ok=True)
        except BaseException:
            self.close()
            raise

    def ask(self, body: bytes) -> Outcome:
        """Have the child answer the body of a request. Raises Died."""
        # In one line, and never in a file: the folder is the child's, which may have put a link there.
        return self._ask(b64encode(body))

    @property
    def is_alive(self) -> bool:
        try:
            self._child.process.wait(0)
        except subprocess.TimeoutExpired:
            return True
        return False

    def kill(self) -> None:
        """Kill the child without waiting. Any thread may call it."""
        self._child.process.kill()

    def close(self) -> None:
        self._child.close()
        remove(self.folder)

    def _ask(self, order: bytes) -> Outcome:
        answer = self._child.ask(order, self.seconds)
        status, _, content = answer.partition(b" ")
        is_known = status == b"answered" or (status in STATUSES and len(content) <= LARGEST_FAULTS)
        if not (answer.endswith(b"\n") and is_known):
            self._child.process.kill()
            code = self._child.process.wait()
            raise Died.of("the process that predicted", self._child, code, self.memory, self.seconds)
        return Outcome(status.decode(), content.rstrip(b"\n"))  # type: ignore[arg-type]


def main() -> None:
    """Run in the child: load the checkpoint, then answer each request with a line."""
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # After this, the child ends with the service.
    hold(os.fdopen(0, "rb", closefd=False), orders.put)
    import torch

    from models.serving.prediction import Predictor

    torch.set_num_threads(1)
    folder = Path.cwd()
    orders.get()
    order = Order.model_validate_json((folder / ORDER).read_text())
    predictor = Predictor.load(order.resolved, order.dataset_schema, folder)
    _print("answered", "{}")
    while line := orders.get():
        _print(*_outcome(order, predictor, b64decode(line)))


def _outcome(order: Order, predictor: Any, body: bytes) -> tuple[str, str]:
    try:
        given = parse(body, MOST_VALUES)
    except MalformedJson as error:
        return "malformed", json.dumps(str(error))
    except TooManyValues as error:
        return "refused", Fault(pointer="", code="over_limit", message=str(error)).model_dump_json()
    try:
        asked = Rows.model_validate(given)
        predictions, remarks = predictor.examine(asked.rows, asked.generation())
    except ValidationError as error:
        faults = [fault(dict(each), given).model_dump() for each in error.errors()[:MOST_FAULTS]]
        return "invalid", json.dumps(faults)
    except SpecError as error:
        found = Fault(pointer=error.pointer, code=error.code, message=error.message, suggestion=error.suggestion)
        return "refused", found.model_dump_json()
    # Written here, because FastAPI writes null for NaN and infinity in an untyped field.
    answer = Predictions(checkpoint_id=order.checkpoint_id, predictions=predictions, **remarks.model_dump())
    return "answered", answer.model_dump_json()


def _print(status: str, content: str) -> None:
    sys.stdout.write(f"{status} {content}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
