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
    """Which data, which columns, and how they are divided."""

    id: Name = Field(description="an upload, ds_…, or the name of a built-in set")
    task: Name | None = Field(
        None, description="a task of a target in the catalog; default: what the target column suggests"
    )
    inputs: list[Name] | None = Field(
        None, min_length=1, max_length=10_000, description="tables: columns to learn from"
    )
    input: Name | None = Field(None, description="text, images, arrays: the one column to learn from")
    target: Name | None = Field(None, description="default: the dataset's suggested target")
    split: Part = Field(
        default_factory=lambda: Part(kind="holdout"),
        description="which rows train, choose and test; default: as the files were named, else shares of the rows",
    )
    tokens: Name | None = Field(
        None,
        description="language modeling: what is foretold, one at a time; default characters. Words that the training "
        "part has once count as unknown",
    )
    documents: Literal["stream", "lines"] | None = Field(
        None, description="language modeling: all rows as one text, the default, or each row as a text with an end"
    )
    context: int | None = Field(None, ge=2, le=4096, description="language modeling: tokens seen at once; default 64")

    @model_validator(mode="after")
    def _one_way_to_name_columns(self) -> "DatasetChoice":
        if self.input is not None and self.inputs is not None:
            raise ValueError("give input (one column) or inputs (several), not both")
        return self


class EarlyStopping(Frozen):
    """Stop when `series` has not improved by `min_delta` for `patience` evaluations."""

    series: Name = "val/loss"
    mode: Direction | None = Field(None, description="default: the way in which the metric improves")
    patience: int = Field(5, ge=1, le=100_000)
    min_delta: float = Field(0.0, ge=0, le=1e12)


class WeightAveraging(Frozen):
    """The equal average of the weights at the ends of epochs (Izmailov et al. 2018).

    It is what is evaluated and kept, once there is one. Running statistics of batch normalization are averaged as the
    weights are: near those of the averaged network, not the same as recomputing them over the training part.
    """

    start: float = Field(0.75, ge=0, lt=1, description="share of the run after which epochs count")


class Hyperparameters(Frozen):
    """How to train. What is left out follows from the architecture; the job shows what was chosen.

    `null` turns off what a training can do without: clip_norm, clip_value, max_norm, schedule, ema, swa,
    early_stopping. Of what it needs (its length, batch_size, optimizer, loss) `null` is the default, as if left out.
    """

    epochs: int | None = Field(None, ge=1, le=100_000, description="passes over the training part")
    steps: int | None = Field(None, ge=1, le=100_000_000, description="optimizer steps, in place of epochs")
    batch_size: int | None = Field(None, ge=1, le=MAX_BATCH, description="left out or null: the architecture's")
    seed: int = Field(0, ge=0, lt=2**32)
    optimizer: Part | None = Field(None, description="left out or null: the architecture's")
    schedule: Part | None = Field(None, description="left out: the architecture's; null: a constant rate")
    loss: Part | None = Field(None, description="left out or null: the one that is usual for the task")
    clip_norm: float | None = Field(
        None, ge=0, le=1e6, description="largest global gradient norm; left out: the architecture's; null or 0: off"
    )
    precision: Literal["fp32", "bf16"] = "fp32"
    clip_value: float | None = Field(
        None, gt=0, le=1e6, description="largest size of any one number of the gradient, after clip_norm"
    )
    l1: float = Field(0.0, ge=0, le=1000, description="pull of every weight but biases and normalization, by its sign")
    decay_biases: bool = Field(True, description="whether weight_decay pulls at biases and normalization too")
    max_norm: float | None = Field(
        None, gt=0, le=1e6, description="largest norm of a row of the last affine map, kept to after every step"
    )
    freeze: list[Name] = Field(
        default_factory=list, max_length=100, description="parameters left as they are, by the start of their names"
    )
    init: Initialization = Field("default", description="of every layer with weights; default: the architecture's")
    ema: float | None = Field(None, gt=0, lt=1, description="decay of the weights' moving average; it is what is kept")
    swa: WeightAveraging | None = Field(None, description="average the weights of the last epochs; not with ema")
    early_stopping: EarlyStopping | None = None
    augmentations: tuple[Part, ...] = Field(
        (), max_length=16, description="changes of training examples, in this order, drawn anew in each epoch"
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

    every_epochs: int | None = Field(None, ge=1, le=100_000, description="default: 1 where every_steps is not given")
    every_steps: int | None = Field(None, ge=1, le=100_000_000)
    keep_last: int = Field(2, ge=1, le=1000)
    keep_best: int = Field(1, ge=0, le=1000)
    series: Name = Field("val/loss", description="what best means")
    mode: Direction | None = Field(None, description="whether best is least or most; default: as the metric improves")

    @model_validator(mode="after")
    def _one_cadence(self) -> "CheckpointPolicy":
        if self.every_epochs is not None and self.every_steps is not None:
            raise ValueError("give every_epochs or every_steps, not both")
        return self


class MetricsPolicy(Frozen):
    every_steps: int = Field(1, ge=1, le=1_000_000, description="a point of each training series every so many steps")


class Resources(Frozen):
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(1, ge=1, le=1, description="devices of one job; more than one is not offered yet")
    data_workers: int = Field(
        0, ge=0, le=64, description="processes that make batches ahead; the result is the same with any number"
    )
    priority: int = Field(0, ge=-100, le=100, description="higher is claimed first")
    max_seconds: int = Field(86_400, ge=1, le=31_536_000, description="of run time, all attempts together")


class JobSpec(Frozen):
    """What to train, on what, and how. Only `architecture` and `dataset` must be said."""

    name: Name | None = None
    architecture: Part
    dataset: DatasetChoice
    hyperparameters: Hyperparameters = Field(default_factory=Hyperparameters)
    checkpoints: CheckpointPolicy = Field(default_factory=CheckpointPolicy)
    metrics: MetricsPolicy = Field(default_factory=MetricsPolicy)
    resources: Resources = Field(default_factory=Resources)
    tags: dict[Name, Annotated[str, Field(max_length=500)]] = Field(default_factory=dict, max_length=50)


class Fork(Frozen):
    """A job that starts with the weights of another's checkpoint, under that job's spec with changes."""

    checkpoint: Name = Field("best", description="an id, best or last")
    spec: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="changes to the parent's spec as a JSON merge patch (RFC 7396); another kind takes the whole place "
        "of a part, null removes what was said, so that it goes back to the default",
    )
