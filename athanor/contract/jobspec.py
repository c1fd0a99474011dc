"""What a user writes: the job spec, its parts left open."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from athanor.contract.base import Frozen

Name = Annotated[str, Field(min_length=1, max_length=200)]
Direction = Literal["min", "max"]
MAX_BATCH = 1_000_000
Initialization = Literal["default", "xavier", "kaiming", "orthogonal"]


class Part(BaseModel):
    """A named buildable piece. The catalog says which kinds there are and what each may be given."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    kind: Name


class DatasetChoice(Frozen):
    """Which data, which columns, and how the rows are divided."""

    id: Name = Field(description="the id of an upload (ds_…), or the name of a built-in dataset")
    task: Name | None = Field(
        None, description="a task of one of the targets; default: what the target column suggests"
    )
    inputs: list[Name] | None = Field(
        None, min_length=1, max_length=10_000, description="tables: the columns to learn from; default: all that fit"
    )
    input: Name | None = Field(None, description="text, images, arrays: the one column to learn from")
    target: Name | None = Field(None, description="the column to predict; default: the one that the dataset suggests")
    split: Part = Field(
        default_factory=lambda: Part(kind="holdout"),
        description="how rows are divided into train, val and test; default: given where the files were named so, "
        "else holdout",
    )
    tokens: Name | None = Field(
        None,
        description="language modeling: the tokenizer, whose tokens are predicted one at a time; default: characters. "
        "Words that occur once in the training part count as unknown",
    )
    documents: Literal["stream", "lines"] | None = Field(
        None, description="language modeling: stream (the default) joins all rows; lines makes each row a document"
    )
    context: int | None = Field(None, ge=2, le=4096, description="language modeling: tokens of a window; default: 64")

    @model_validator(mode="after")
    def _one_way_to_name_columns(self) -> "DatasetChoice":
        if self.input is not None and self.inputs is not None:
            raise ValueError("give input (one column) or inputs (several), not both")
        return self


class EarlyStopping(Frozen):
    """Stop when `series` has not improved by `min_delta` for `patience` evaluations."""

    series: Name = Field("val/loss", description="the series that must improve")
    mode: Direction | None = Field(None, description="min: lower is better; max: higher; default: as the metric says")
    patience: int = Field(5, ge=1, le=100_000, description="evaluations without improvement before the stop")
    min_delta: float = Field(0.0, ge=0, le=1e12, description="a change by no more than this is not an improvement")


class WeightAveraging(Frozen):
    """The equal average of the weights at the ends of epochs (Izmailov et al. 2018).

    The average is evaluated and kept, once there is one. Running statistics of batch normalization are averaged like
    the weights. This approximates the statistics of the averaged network, which are not computed anew.
    """

    start: float = Field(0.75, ge=0, lt=1, description="share of the run before the first average")


class Hyperparameters(Frozen):
    """How to train. The architecture gives the defaults of fields that are left out; the job shows what was chosen.

    `null` turns off what is optional: clip_norm, clip_value, max_norm, schedule, ema, swa, early_stopping. For what a
    training needs (epochs or steps, batch_size, optimizer, loss), `null` is the same as leaving the field out.
    """

    epochs: int | None = Field(None, ge=1, le=100_000, description="passes over the training part")
    steps: int | None = Field(None, ge=1, le=100_000_000, description="optimizer steps, in place of epochs")
    batch_size: int | None = Field(
        None, ge=1, le=MAX_BATCH, description="rows of a step; left out or null: the architecture's"
    )
    seed: int = Field(
        0, ge=0, lt=2**32, description="of the initial weights, the order of rows, dropout and augmentations"
    )
    optimizer: Part | None = Field(None, description="left out or null: the architecture's")
    schedule: Part | None = Field(None, description="left out: the architecture's; null: a constant rate")
    loss: Part | None = Field(None, description="left out or null: the one that is usual for the task")
    clip_norm: float | None = Field(
        None, ge=0, le=1e6, description="largest global gradient norm; left out: the architecture's; null or 0: off"
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="bf16 computes in mixed precision; weights stay fp32"
    )
    clip_value: float | None = Field(
        None, gt=0, le=1e6, description="largest absolute value of each number of a gradient, after clip_norm"
    )
    l1: float = Field(0.0, ge=0, le=1000, description="factor of the L1 penalty; biases and normalization have none")
    decay_biases: bool = Field(True, description="whether weight_decay applies to biases and normalization too")
    max_norm: float | None = Field(
        None, gt=0, le=1e6, description="largest norm of a row of the output layer's weights, enforced after each step"
    )
    freeze: list[Name] = Field(
        [], max_length=100, description="starts of the names of parameters that are not trained; see shapes in the plan"
    )
    init: Initialization = Field("default", description="initialization of all layers; default: the architecture's")
    ema: float | None = Field(
        None, gt=0, lt=1, description="decay of the moving average of the weights; the average is evaluated and kept"
    )
    swa: WeightAveraging | None = Field(None, description="stochastic weight averaging; not together with ema")
    early_stopping: EarlyStopping | None = Field(None, description="stop when a series no longer improves")
    augmentations: tuple[Part, ...] = Field(
        (), max_length=16, description="random changes of training examples, applied in this order, new in each epoch"
    )

    @field_validator("clip_norm")
    @classmethod
    def _off(cls, clip_norm: float | None) -> float | None:
        """Zero is one more way to write off: no gradient could be clipped to it and still move anything."""
        return clip_norm or None

    @model_validator(mode="after")
    def _one_length(self) -> "Hyperparameters":
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give epochs or steps, not both")
        return self

    @model_validator(mode="after")
    def _one_average(self) -> "Hyperparameters":
        if self.ema is not None and self.swa is not None:
            raise ValueError("give ema or swa, not both: one average of the weights is kept")
        return self


class CheckpointPolicy(Frozen):
    """When checkpoints are written and which are kept."""

    every_epochs: int | None = Field(
        None, ge=1, le=100_000, description="epochs between checkpoints; default: 1 without every_steps"
    )
    every_steps: int | None = Field(
        None, ge=1, le=100_000_000, description="steps between checkpoints, in place of every_epochs"
    )
    keep_last: int = Field(2, ge=1, le=1000, description="how many of the newest checkpoints are kept")
    keep_best: int = Field(1, ge=0, le=1000, description="how many of the best checkpoints are kept")
    series: Name = Field("val/loss", description="the series by which a checkpoint is best; default: that of the task")
    mode: Direction | None = Field(None, description="min: lower is better; max: higher; default: as the metric says")

    @model_validator(mode="after")
    def _one_cadence(self) -> "CheckpointPolicy":
        if self.every_epochs is not None and self.every_steps is not None:
            raise ValueError("give every_epochs or every_steps, not both")
        return self


class MetricsPolicy(Frozen):
    """How often training is measured."""

    every_steps: int = Field(1, ge=1, le=1_000_000, description="steps between two points of a training series")


class Resources(Frozen):
    """What a job runs on, when, and for how long."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: CUDA where the worker has it, else the processor"
    )
    devices: int = Field(1, ge=1, le=1, description="devices of the job; only one is possible today")
    data_workers: int = Field(
        0, ge=0, le=64, description="processes that prepare batches ahead of time; the result does not depend on it"
    )
    priority: int = Field(0, ge=-100, le=100, description="jobs with a higher priority start first")
    max_seconds: int = Field(86_400, ge=1, le=31_536_000, description="longest run time, all attempts together")


class JobSpec(Frozen):
    """What to train, on which data, and how. Only `architecture` and `dataset` are required."""

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
    """A job that starts with the weights of another's checkpoint, under that job's spec with changes."""

    checkpoint: Name = Field("best", description="an id, best or last")
    spec: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="changes to the parent's spec as a JSON merge patch (RFC 7396); another kind takes the whole place "
        "of a part, null removes what was said, so that it goes back to the default",
    )
