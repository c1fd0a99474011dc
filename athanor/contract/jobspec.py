"""The job spec as a user writes it. The kinds of parts are not defined here: the server's catalog lists them."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator

from athanor.contract.base import Frozen, Written

Name = Annotated[str, Field(min_length=1, max_length=200)]
Direction = Literal["min", "max"]
MAX_BATCH = 1_000_000
Initialization = Literal["default", "xavier", "kaiming", "orthogonal"]


class Part(Written):
    """A named piece of a spec, such as an architecture or a loss. The catalog lists the kinds and their fields."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    kind: Name


class DatasetChoice(Frozen):
    """The dataset, its columns for inputs, target and weights, and how its rows are split."""

    id: Name = Field(description="an uploaded dataset's id, ds_…, or the name of a built-in dataset")
    task: Name | None = Field(
        None, description="the task, one of a target in the catalog; default: what the target column suggests"
    )
    inputs: list[Name] | None = Field(
        None, min_length=1, max_length=10_000, description="tables: the columns to learn from"
    )
    input: Name | None = Field(None, description="text, images, arrays: the single column to learn from")
    target: Name | None = Field(None, description="default: the dataset's suggested target")
    features: Mapping[Name, Part] = Field(
        {},
        max_length=1000,
        description="how columns are read: a feature of the catalog by the name of the column; default: as the dataset "
        "describes them",
    )
    split: Part = Field(
        default_factory=lambda: Part(kind="holdout"),
        description="which rows are for training, validation and test; default: by the files' names, else at random",
    )
    weight: Name | None = Field(
        None,
        description="a column of numbers that are not negative: how much the loss of each row counts. They are divided "
        "by their mean over each part. Metrics count all rows alike; default: so does the loss",
    )
    tokens: Name | None = Field(
        None,
        description="language modeling: the tokenizer, which says what a token is; default: characters. Words that "
        "occur once in the training part count as unknown",
    )
    documents: Literal["stream", "lines"] | None = Field(
        None, description="language modeling: all rows as one text (stream, the default), or each row as a text (lines)"
    )
    context: int | None = Field(
        None, ge=2, le=4096, description="language modeling: the number of tokens in a window; default 64"
    )

    @model_validator(mode="after")
    def _one_way_to_name_columns(self) -> "DatasetChoice":
        if self.input is not None and self.inputs is not None:
            raise ValueError("give input (one column) or inputs (several), not both")
        return self


class EarlyStopping(Frozen):
    """Stop when `series` has not improved by `min_delta` for `patience` evaluations."""

    series: Name = Field("val/loss", description="the series that must improve")
    mode: Direction | None = Field(
        None, description="whether lower (min) or higher (max) is better; default: the metric's"
    )
    patience: int = Field(5, ge=1, le=100_000, description="evaluations without an improvement before training stops")
    min_delta: float = Field(0.0, ge=0, le=1e12, description="the smallest change that counts as an improvement")


class WeightAveraging(Frozen):
    """Stochastic weight averaging: the equal average of the weights at the ends of epochs (Izmailov et al. 2018).

    The averaged network is evaluated and kept as soon as there is one. Running statistics of batch normalization are
    averaged like weights: they come close to those of the averaged network but are not recomputed.
    """

    start: float = Field(0.75, ge=0, lt=1, description="fraction of the training after which epochs are averaged")


class Hyperparameters(Frozen):
    """How to train. Fields that are left out get the architecture's defaults; the job shows the values used.

    `null` turns off what is optional: clip_norm, clip_value, max_norm, schedule, ema, swa, early_stopping. For what a
    training needs (epochs or steps, batch_size, optimizer, loss) `null` means the default, as if left out.
    """

    epochs: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="passes over the training part; left out or null: the architecture's, unless steps is given",
    )
    steps: int | None = Field(None, ge=1, le=100_000_000, description="optimizer steps, in place of epochs")
    batch_size: int | None = Field(None, ge=1, le=MAX_BATCH, description="left out or null: the architecture's")
    accumulate: int = Field(
        1,
        ge=1,
        le=1024,
        description="micro-batches of a step, one after the other: the gradient is that of the whole batch, and what "
        "the layers keep for it needs the memory of one; not with batch normalization",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of every random choice; equal specs give equal weights")
    optimizer: Part | None = Field(None, description="left out or null: the architecture's")
    schedule: Part | None = Field(None, description="left out: the architecture's; null: a constant learning rate")
    loss: Part | None = Field(None, description="left out or null: the usual loss of the task")
    clip_norm: float | None = Field(
        None, ge=0, le=1e6, description="largest global gradient norm; left out: the architecture's; null or 0: off"
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="bf16 computes in mixed precision; weights stay fp32"
    )
    clip_value: float | None = Field(
        None, gt=0, le=1e6, description="largest absolute value of each gradient element, applied after clip_norm"
    )
    l1: float = Field(
        0.0, ge=0, le=1000, description="strength of L1 regularization of all weights except biases and normalization"
    )
    decay_biases: bool = Field(True, description="whether weight_decay also applies to biases and normalization")
    max_norm: float | None = Field(
        None, gt=0, le=1e6, description="largest norm of each row of the last linear layer, enforced after every step"
    )
    freeze: list[Name] = Field(
        [],
        max_length=100,
        description="parameters that are not trained: whole names, or the first segments of names up to a dot, so that "
        "layer1 is layer1.0.weight but not layer10.0.weight",
    )
    init: Initialization = Field(
        "default", description="initialization of every layer with weights; default: the architecture's"
    )
    ema: float | None = Field(
        None, gt=0, lt=1, description="decay of an exponential moving average of the weights, which is what is kept"
    )
    swa: WeightAveraging | None = Field(None, description="stochastic weight averaging; not together with ema")
    early_stopping: EarlyStopping | None = Field(None, description="stop when a series no longer improves")
    augmentations: tuple[Part, ...] = Field(
        (), max_length=16, description="random changes of training examples, in this order, drawn again in each epoch"
    )

    @field_validator("clip_norm")
    @classmethod
    def _off(cls, clip_norm: float | None) -> float | None:
        """Zero means off, because gradients clipped to a norm of zero change nothing."""
        return clip_norm or None

    @model_validator(mode="after")
    def _one_length(self) -> "Hyperparameters":
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give epochs or steps, not both")
        return self

    @model_validator(mode="after")
    def _one_average(self) -> "Hyperparameters":
        if self.ema is not None and self.swa is not None:
            raise ValueError("give ema or swa, not both: only one average of the weights is kept")
        return self


class CheckpointPolicy(Frozen):
    """When checkpoints are written, and which of them are kept."""

    every_epochs: int | None = Field(
        None, ge=1, le=100_000, description="epochs between checkpoints; default: 1 if every_steps is not given"
    )
    every_steps: int | None = Field(None, ge=1, le=100_000_000, description="steps between checkpoints")
    min_seconds: float | None = Field(
        None,
        ge=0,
        le=86_400,
        description="seconds between two checkpoints at least: the best waits in memory until then, others are left "
        "out; default: 2, and 0 if every_epochs or every_steps is given",
    )
    keep_last: int = Field(2, ge=1, le=1000, description="how many of the newest checkpoints are kept")
    keep_best: int = Field(1, ge=0, le=1000, description="how many of the best checkpoints are kept")
    series: Name = Field("val/loss", description="the series that decides which checkpoint is best")
    mode: Direction | None = Field(
        None, description="whether lower (min) or higher (max) is better; default: the metric's"
    )

    @model_validator(mode="after")
    def _one_cadence(self) -> "CheckpointPolicy":
        if self.every_epochs is not None and self.every_steps is not None:
            raise ValueError("give every_epochs or every_steps, not both")
        return self


class MetricsPolicy(Frozen):
    """How often metrics are recorded."""

    every_steps: int = Field(1, ge=1, le=1_000_000, description="steps between two points of each training series")


class Resources(Frozen):
    """What a job may use, and how soon it is started."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: CUDA if the worker has it, else the CPU")
    devices: int = Field(1, ge=1, le=1, description="number of devices; more than one is not supported yet")
    threads: Annotated[int, Field(ge=1, le=256)] | Literal["auto"] = Field(
        "auto",
        description="threads that compute on the CPU; auto: at most the processors of the worker, divided among its "
        "slots, and fewer where these are as fast. The first attempt settles it: another number gives other bits",
    )
    engine: Literal["auto", "eager", "manual"] = Field(
        "auto",
        description="what computes gradients. eager: PyTorch's autograd, for every network; manual: derivatives by "
        "hand, for mlp, faster if it is small; auto: manual where it can. Another engine gives other bits",
    )
    data_workers: int = Field(
        0, ge=0, le=64, description="processes that prepare batches in advance; the result is the same with any number"
    )
    priority: int = Field(0, ge=-100, le=100, description="jobs with a higher priority start first")
    max_seconds: int = Field(
        86_400, ge=1, le=31_536_000, description="longest run time in seconds, all attempts together"
    )


class JobSpec(Frozen):
    """A training job: what to train, on which data, and how. Only `architecture` and `dataset` are required."""

    name: Name | None = Field(None, description="a name for people; commands find the job by it")
    architecture: Part = Field(description="the network")
    dataset: DatasetChoice
    hyperparameters: Hyperparameters = Field(default_factory=Hyperparameters)
    checkpoints: CheckpointPolicy = Field(default_factory=CheckpointPolicy)
    metrics: MetricsPolicy = Field(default_factory=MetricsPolicy)
    resources: Resources = Field(default_factory=Resources)
    tags: dict[Name, Annotated[str, Field(max_length=500)]] = Field(
        {}, max_length=50, description="names and values by which a list of jobs can be filtered"
    )


class Fork(Frozen):
    """A new job that starts with the weights of another job's checkpoint and uses that job's spec with changes."""

    checkpoint: Name = Field("best", description="a checkpoint's id, best or last")
    spec: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="changes to the parent's spec as a JSON merge patch (RFC 7396). A part of another kind replaces "
        "the whole part; null removes a field, which then has its default",
    )
