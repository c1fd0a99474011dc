"""The messages from a trainer to its supervisor, with bounds on their size. Anything else is a ProtocolError.

A trainer reads files that strangers upload. A trainer that such a file takes over can harm only its own job.
"""

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from athanor.contract import Baseline

LONGEST_LINE = 4 * 2**20
"""Bytes of the longest message: about 50,000 points."""

MOST_WARNINGS = 50
"""Warnings of one message."""

Step = Annotated[int, Field(ge=0, le=10**9)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
SeriesName = Annotated[str, Field(min_length=1, max_length=200)]
Columns = tuple[list[Step], list[float], list[Finite]]
Member = Annotated[int, Field(ge=1, le=10_000)]
"""The number of a training within its job, from 1, such as a fold of a cross-validation."""


def snapshot_folder(step: int, member: int | None) -> str:
    """The name of a snapshot's folder, on disk and in the store: step-9, or step-9-member-2."""
    return f"step-{step}" if member is None else f"step-{step}-member-{member}"


class TrainerMessage(BaseModel):
    """A message from a trainer to its supervisor. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Readiness(TrainerMessage):
    """The trainer has imported everything and waits for a job."""

    type: Literal["ready"]


class Start(TrainerMessage):
    """The trainer has read its assignment and uses the device."""

    type: Literal["started"]
    device: str = Field(max_length=200)
    fingerprint: dict[str, Any] = Field(max_length=50)


class Settlement(TrainerMessage):
    """What the first attempt settles for those that follow."""

    type: Literal["settled"]
    threads: int = Field(ge=1, le=1024)
    is_tried: bool
    """Whether a trial has found the number, here or in an equal training."""


class BaselineResult(TrainerMessage):
    """The baseline's results on the job's rows."""

    type: Literal["baseline"]
    baseline: Baseline


class DataWarning(TrainerMessage):
    code: str = Field(max_length=100)
    message: str = Field(max_length=10_000)
    column: str | None = Field(None, max_length=10_000)
    rows: list[Annotated[int, Field(ge=0)]] = Field([], max_length=100)
    suggestion: str | None = Field(None, max_length=10_000)


class DataWarnings(TrainerMessage):
    """What is odd about the rows of the job."""

    type: Literal["warnings"]
    warnings: list[DataWarning] = Field(max_length=MOST_WARNINGS)


class PointBatch(TrainerMessage):
    """Metric points as columns of steps, values and times, of one member or of the job as a whole."""

    type: Literal["points"]
    member: Member | None = None
    step: Step
    epoch: Finite
    eta: Finite
    series: dict[SeriesName, Columns] = Field(max_length=200)

    @model_validator(mode="after")
    def _columns(self) -> "PointBatch":
        for name, (steps, values, times) in self.series.items():
            if not len(steps) == len(values) == len(times) > 0:
                raise ValueError(f"the columns of {name} differ in length or are empty")
            if any(one >= other for one, other in pairwise(steps)):
                raise ValueError(f"the steps of {name} do not rise")
        return self


class SnapshotFile(TrainerMessage):
    name: str = Field(max_length=100)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Snapshot(TrainerMessage):
    """A snapshot is complete in `folder`, below the trainer's folder."""

    type: Literal["checkpoint"]
    step: Step
    epoch: Finite
    member: Member | None = None
    reason: Literal["cadence", "best", "final", "stop"]
    score: Finite | None
    files: list[SnapshotFile] = Field(max_length=10)

    @property
    def folder(self) -> str:
        return snapshot_folder(self.step, self.member)


class Completion(TrainerMessage):
    """The training is complete."""

    type: Literal["finished"]


class Stop(TrainerMessage):
    """The trainer has stopped on request."""

    type: Literal["stopped"]


class Failure(TrainerMessage):
    """The trainer cannot continue."""

    type: Literal["failed"]
    code: str = Field(max_length=100)
    message: str = Field(max_length=10_000)
    retryable: bool


Message = (
    Readiness | Start | Settlement | BaselineResult | DataWarnings | PointBatch | Snapshot | Completion | Stop | Failure
)
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


class ProtocolError(Exception):
    """A trainer sent an invalid message, or announced something that is not a snapshot."""


def read(line: bytes) -> Message:
    """Parse a line of the pipe. Raises ProtocolError."""
    try:
        return _MESSAGES.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(str(part)[:100] for part in first["loc"])
        raise ProtocolError(f"{place}: {first['msg'][:200]}") from None
