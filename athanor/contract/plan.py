"""The plan of a job: what it will cost, before it is queued."""

from typing import Literal

from pydantic import Field, JsonValue

from athanor.contract.base import Answer
from athanor.contract.dataset import Warned
from athanor.contract.finding import Interval
from athanor.contract.jobspec import Direction


class ColumnRole(Answer):
    """What a job does with a column of its dataset."""

    name: str
    role: Literal["input", "target", "split", "weight", "left_out"]
    kind: str = Field(description="how the column is read: a feature of the catalog")
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="fields that differ from its defaults")
    input: str | None = Field(None, description="the input of the network that reads it, where there are several")
    reason: str | None = Field(None, description="why it is left out")
    unseen: float | None = Field(
        None, description="inputs of words: an estimate of the share of words of new rows that no row has"
    )
    guess: str | None = Field(
        None, description="why the choice may be wrong, and what would settle it; null: the spec or the file says so"
    )


class Plan(Answer):
    """What a job will cost. The service finds it by building the network without memory for its weights."""

    task: str
    directions: dict[str, Direction] = Field(
        description="metrics of an evaluation, and whether lower (min) or higher (max) is better"
    )
    intervals: dict[str, Interval] = Field(
        default_factory=dict,
        description="metrics whose uncertainty follows from the number of rows: a share of the rows (proportion), "
        "or a mean error of the rows (error)",
    )
    parameters: int = Field(description="number of parameters; ngram: the largest number that the text can give")
    trainable: int = Field(description="parameters that are not frozen")
    memory_bytes: int = Field(description="estimate of weights, gradients, optimizer state and activations")
    train_rows: int = Field(description="rows; language modeling: windows, an estimate if a column divides the rows")
    val_rows: int
    test_rows: int
    trainings: int = Field(
        1, description="networks that are trained one after the other; cross-validation: one per fold"
    )
    steps: int = Field(description="optimizer steps of all trainings together")
    steps_per_epoch: int
    checkpoint_bytes: int
    shapes: dict[str, list[int]] = Field(
        default_factory=dict,
        description="shapes of the first 1,000 parameters by name; freeze takes these names, or their first segments",
    )
    columns: list[ColumnRole] = Field(
        default_factory=list, description="the role of each column of the dataset, of the first 1,000"
    )
    fresh: list[str] = Field(
        default_factory=list,
        description="forks: tensors that are newly initialized, because the fork has other outputs",
    )
    warnings: list[Warned] = Field(
        default_factory=list, description="what is odd about the data, and why the job would wait if it were queued now"
    )
    engine_reason: str | None = Field(None, description="why the job takes its engine, resources.engine of the spec")
    spec: dict[str, JsonValue] = Field(description="the spec with every default filled in")
