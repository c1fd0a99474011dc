"""The wire: every shape that travels between a client, the API and the database."""

from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

# One list, not a statement for every name.
# isort: off
from athanor.contract.jobspec import (
    MAX_BATCH as MAX_BATCH,
    CheckpointPolicy as CheckpointPolicy,
    DatasetChoice as DatasetChoice,
    Direction as Direction,
    EarlyStopping as EarlyStopping,
    Fork as Fork,
    Frozen as Frozen,
    Hyperparameters as Hyperparameters,
    Initialization as Initialization,
    JobSpec as JobSpec,
    MetricsPolicy as MetricsPolicy,
    Name as Name,
    Part as Part,
    Resources as Resources,
    WeightAveraging as WeightAveraging,
)
# isort: on


class Answer(BaseModel):
    """What the service says: fields may be added, so unknown ones are ignored; NaN travels as ``"NaN"``."""

    model_config = ConfigDict(extra="ignore", ser_json_inf_nan="strings", populate_by_name=True)


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


class Plan(Answer):
    """What a job will cost, found by building it without memory before it is queued."""

    task: str
    directions: dict[str, Direction] = Field(description="measures of an evaluation, and which way each improves")
    parameters: int = Field(description="of a network that is counted: the most that so long a text can hold")
    trainable: int = Field(description="parameters that are not frozen")
    memory_bytes: int = Field(description="estimate of weights, gradients, optimizer state and activations")
    train_rows: int = Field(description="a stream: windows; of rows given to its parts, as if all were equally long")
    val_rows: int
    test_rows: int
    trainings: int = Field(1, description="networks trained one after the other: one, or of a cross-validation more")
    steps: int = Field(description="of all trainings together")
    steps_per_epoch: int
    checkpoint_bytes: int
    shapes: dict[str, list[int]] = Field(
        default_factory=dict,
        description="parameters by name, the first 1,000; freeze takes starts of their names",
    )
    fresh: list[str] = Field(
        default_factory=list, description="a fork: tensors drawn anew, since its answers are not its parent's"
    )
    spec: dict[str, JsonValue] = Field(description="the spec with every default filled in")


class Progress(Answer):
    step: int = 0
    steps: int = 0
    epoch: float = 0.0
    eta_seconds: float | None = None


class Point(Answer):
    step: int
    value: float


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
    dataset_id: str
    origin: Origin | None = Field(None, description="of a fork")
    attempt: int
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    progress: Progress
    directions: dict[str, Direction] = Field(
        default_factory=dict, description="measures of an evaluation, and which way each improves"
    )
    latest: dict[str, Point] = Field(default_factory=dict)
    best: dict[str, Point] = Field(default_factory=dict)
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


class Series(Answer):
    steps: list[int]
    values: list[float]
    times: list[float] = Field(description="seconds since 1970, UTC")


class Metrics(Answer):
    series: dict[str, Series]
    next: int = Field(description="give it as after= to receive only newer points")


class Event(Answer):
    """Something that happened to a job; `seq` grows within the whole service."""

    seq: int
    job_id: str
    attempt: int
    at: str
    kind: Literal["state", "checkpoint", "log", "warning"]
    data: dict[str, Any]


class CheckpointFile(Answer):
    name: str
    bytes: int
    sha256: str


class Checkpoint(Answer):
    id: str
    job_id: str
    step: int
    epoch: float
    fold: int | None = Field(None, description="cross-validation: the fold that it has not seen, from 1")
    attempt: int
    reason: Literal["cadence", "best", "final", "stop"]
    score: float | None = Field(None, description="value of checkpoints.series at this step, where it was evaluated")
    bytes: int
    sha256: str = Field(description="of weights.safetensors")
    created_at: str
    files: list[CheckpointFile]


class Column(Answer):
    name: str
    kind: str = Field(description="how the column is read: a feature of the catalog")
    integer: bool = Field(False, description="number: every value is whole")
    shape: list[int] | None = Field(None, description="image: [height, width, channels]; array: the shape of one row")
    missing: int = 0
    missing_by_part: dict[str, dict[str, int]] | None = Field(
        None, description="the same by each column that says train, val and test, and by its values"
    )
    distinct: int | None = Field(None, description="None where there are too many to count")
    classes: list[str] | None = Field(None, description="sorted values, or words of lists, where few are distinct")
    counts: list[int] | None = Field(None, description="rows of each class, in the order of classes")
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    max_length: int | None = Field(None, description="text, tokens: words of the longest row")
    vocabulary: int | None = Field(None, description="text, tokens: distinct words")
    words: int | None = Field(None, description="text: words of all rows")
    characters: int | None = Field(None, description="text: characters of all rows")
    alphabet: int | None = Field(None, description="text: distinct characters")


class Schema(Answer):
    columns: list[Column]
    target: str | None = Field(None, description="suggested target: a column called so, or the last that can be one")
    part: str | None = Field(None, description="column that says train, val or test, where files did")


class Warned(Answer):
    """Something odd that training can live with. `rows` are numbered from 1, without a header."""

    code: str
    message: str
    rows: list[int] = Field(default_factory=list, description="the first few rows it was seen in")


class Dataset(Answer):
    id: str
    name: str
    format: str
    rows: int
    bytes: int
    sha256: str = Field(description="of the uploaded bytes")
    created_at: str
    schema_: Schema = Field(alias="schema")
    warnings: list[Warned] = Field(default_factory=list)


class Preview(Answer):
    columns: list[str]
    rows: list[list[JsonValue]]


ExportFormat = Literal["onnx", "pt2", "bundle"]


class PartInfo(Answer):
    kind: str
    summary: str
    description: str
    schema_: dict[str, JsonValue] = Field(alias="schema")
    exports: list[ExportFormat] = Field(
        default_factory=list, description="architectures: formats a checkpoint can be exported in"
    )
    tasks: list[str] = Field(default_factory=list, description="losses, metrics, targets: tasks that they are for")
    direction: Direction | None = Field(None, description="metrics: which way is better")


class Catalog(Answer):
    """The parts of every shelf, by its name: `architectures`, `losses`, `splits`, and any that the server has."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, list[PartInfo]] = Field(init=False)

    def shelves(self) -> dict[str, list[PartInfo]]:
        return dict(self.__pydantic_extra__)


class Device(Answer):
    kind: Literal["cpu", "cuda"]
    name: str
    memory_bytes: int | None = None


class Worker(Answer):
    id: str
    host: str
    pid: int
    version: str
    mode: Literal["local", "celery"]
    state: Literal["active", "draining", "gone"]
    slots: int
    devices: list[Device]
    running: list[str] = Field(default_factory=list, description="jobs this worker holds a lease for")
    started_at: str
    heartbeat_at: str


class Generation(Frozen):
    """How a language model goes on from a prompt."""

    max_new_tokens: int = Field(100, ge=1, le=2048)
    temperature: float = Field(1.0, ge=1e-3, le=100, description="below 1 the likely becomes likelier")
    top_k: int | None = Field(None, ge=1, le=1_000_000, description="choose among so many; 1 takes the likeliest")
    seed: int = Field(0, ge=0, lt=2**32)


class Predictions(Answer):
    """An answer a row. Classification: `label` and `probabilities` by class; regression: `value`; tagging: `tags`;
    languages: `text`. A network that overflows answers with ``"NaN"`` and no label.
    """

    checkpoint_id: str
    predictions: list[dict[str, Any]]


class Fault(Answer):
    """One thing wrong with a request, and where: `pointer` is an RFC 6901 JSON Pointer into the body."""

    pointer: str
    code: str
    message: str
    suggestion: str | None = None


class Problem(Answer):
    """RFC 9457 problem details, served as application/problem+json."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[Fault] = Field(default_factory=list)


Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    data: list[Item]
    has_more: bool
    next: str | None = Field(None, description="give it as after= for the following page")
