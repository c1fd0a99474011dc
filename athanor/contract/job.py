"""A job as the service shows it: its state, its progress and its results."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from athanor.contract.base import Answer
from athanor.contract.dataset import Warned
from athanor.contract.finding import Finding
from athanor.contract.jobspec import Direction
from athanor.contract.metrics import Point
from athanor.contract.plan import ColumnRole


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
    """The results of a trivial predictor, to compare the job's results with.

    `kind` depends on the target: `majority` predicts the largest class, `mean` the mean of the target, `unigram` the
    most frequent tag of each word or, for language modeling, the frequency of each token.
    """

    kind: str
    values: dict[str, float] = Field(
        description="by series: val/accuracy, test/rmse, …; cross-validation: the mean over the completed folds"
    )


class Spread(Answer):
    """One metric over the completed folds, in the order of the folds."""

    mean: float
    std: float | None = Field(None, description="sample standard deviation (n - 1); null for a single fold")
    values: list[float]


class CrossValidation(Answer):
    n: int
    done: int
    series: dict[str, Spread] = Field(
        description="test/accuracy and others over all folds; the series of single folds are folds/1/…, folds/2/…"
    )


class Origin(Answer):
    """The checkpoint that a fork starts from."""

    job_id: str
    checkpoint_id: str
    step: int
    fresh: list[str] = Field(
        default_factory=list,
        description="tensors that are newly initialized, because the fork has other outputs",
    )


class Transition(Answer):
    from_: State | None = Field(None, alias="from")
    to: State
    at: str
    attempt: int
    reason: str | None = None
    actor: str | None = Field(
        None, description="who caused it: key, worker, supervisor, or sweep (a worker that found another one lost)"
    )
    by: str | None = Field(None, description="name of the API key that asked for it")
    key_id: str | None = Field(None, description="public id of that key")


class Waiting(Answer):
    """What a queued job waits for."""

    reason: str
    place: int = Field(description="place in the queue; 1 is the next job for the workers that can run it")


class Job(Answer):
    id: str
    name: str | None
    state: State
    is_terminal: bool
    desired: Literal["run", "pause", "cancel"]
    spec: dict[str, JsonValue] = Field(description="the accepted spec with every default filled in")
    submitted: dict[str, JsonValue] = Field(
        default_factory=dict, description="the spec as it was sent; `null` means that something was switched off"
    )
    dataset_id: str
    columns: list[ColumnRole] = Field(
        default_factory=list, description="the role of each column of the dataset, of the first 1,000"
    )
    warnings: list[Warned] = Field(default_factory=list, description="what is odd about the data of the job")
    origin: Origin | None = Field(None, description="forks: the checkpoint that the job started from")
    attempt: int
    threads: int | None = Field(
        None, description="threads that compute on the CPU; the first attempt settles it, and later ones keep it"
    )
    engine_reason: str | None = Field(None, description="why the job has its engine, resources.engine of the spec")
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    waiting: Waiting | None = Field(None, description="while it is queued")
    progress: Progress
    latest: dict[str, Point] = Field(default_factory=dict)
    best: dict[str, Point] = Field(default_factory=dict)
    directions: dict[str, Direction] = Field(
        default_factory=dict, description="metrics of an evaluation, and whether lower (min) or higher (max) is better"
    )
    baseline: Baseline | None = Field(None, description="results of a trivial predictor on the same rows")
    folds: CrossValidation | None = Field(None, description="results over the folds, for split.kind = folds")
    findings: list[Finding] = Field(
        default_factory=list, description="what the rules of the catalog say about the results, once the job has ended"
    )
    stop_seconds: float | None = Field(
        None, description="from the request to cancel or pause until all processes of the job had ended"
    )
    failures: int = Field(0, description="attempts whose trainer died")
    preemptions: int = Field(0, description="attempts that went back to the queue because their worker was stopped")
    worker_lost: int = Field(0, description="attempts whose worker died or lost its connection to the database")
    bit_exact: bool = Field(
        True,
        description="false after a resume in a different environment or without the best checkpoint: the result may "
        "differ from that of an uninterrupted job",
    )
    error: JobError | None = None
    transitions: list[Transition] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)
