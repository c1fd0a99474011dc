"""A job as the service shows it: its state, how far it is, and what has come of it."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from athanor.contract.base import Answer
from athanor.contract.jobspec import Direction
from athanor.contract.metrics import Point


class State(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
LEASED = frozenset({State.STARTING, State.RUNNING})


class Progress(Answer):
    step: int = 0
    steps: int = 0
    epoch: float = 0.0
    eta_seconds: float | None = None


class JobError(Answer):
    code: str
    message: str
    retryable: bool = False


class Baseline(Answer):
    """What takes no learning: a result means as much as it is better.

    `kind` is the target's own: `majority` is the largest class; `mean` the mean of the target; `unigram` each word's
    own commonest tag or, of a language, how often each token is met.
    """

    kind: str
    values: dict[str, float] = Field(description="by series: val/accuracy, test/rmse, …; of folds, the mean so far")


class Spread(Answer):
    """The same measure over the folds that are done, in their order."""

    mean: float
    std: float | None = Field(None, description="sample standard deviation (n - 1); None of a single fold")
    values: list[float]


class CrossValidation(Answer):
    n: int
    done: int
    series: dict[str, Spread] = Field(
        description="test/accuracy and its like; each fold's own are folds/1/…, folds/2/…"
    )


class Origin(Answer):
    """The checkpoint that a fork starts from."""

    job_id: str
    checkpoint_id: str
    step: int
    fresh: list[str] = Field(
        default_factory=list, description="tensors drawn anew, since the answers are not the parent's"
    )


class Transition(Answer):
    from_: State | None = Field(None, alias="from")
    to: State
    at: str
    attempt: int
    reason: str | None = None
    actor: str | None = Field(None, description="key, worker, supervisor, or sweep: a worker that saw another was lost")
    by: str | None = Field(None, description="name of the API key that asked for it")
    key_id: str | None = Field(None, description="public id of that key")


class Job(Answer):
    id: str
    name: str | None
    state: State
    is_terminal: bool
    desired: Literal["run", "pause", "cancel"]
    spec: dict[str, JsonValue] = Field(description="the accepted spec with every default filled in")
    submitted: dict[str, JsonValue] = Field(
        default_factory=dict, description="the spec as it was sent: `null` stands where something was switched off"
    )
    dataset_id: str
    origin: Origin | None = Field(None, description="of a fork")
    attempt: int
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    progress: Progress
    latest: dict[str, Point] = Field(default_factory=dict)
    best: dict[str, Point] = Field(default_factory=dict)
    directions: dict[str, Direction] = Field(
        default_factory=dict, description="measures of an evaluation, and which way each improves"
    )
    baseline: Baseline | None = Field(None, description="what no learning reaches, on the same rows")
    folds: CrossValidation | None = Field(None, description="results of a job with split.kind = folds")
    stop_seconds: float | None = Field(
        None, description="from the wish to cancel or to pause until no process of the job was left"
    )
    failures: int = Field(0, description="attempts whose trainer died")
    preemptions: int = Field(0, description="attempts that went back to the queue because their worker was stopped")
    worker_lost: int = Field(0, description="attempts whose worker died or was cut off")
    bit_exact: bool = Field(
        True, description="false once a resume happened in a different environment, or had lost the best checkpoint"
    )
    error: JobError | None = None
    transitions: list[Transition] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)
