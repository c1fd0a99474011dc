"""What the service says of a spec before it is queued."""

from pydantic import Field, JsonValue

from athanor.contract.base import Answer
from athanor.contract.dataset import Warned
from athanor.contract.jobspec import Direction


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
    warnings: list[Warned] = Field(
        default_factory=list, description="what would keep the job waiting now, were it queued; not stored"
    )
    spec: dict[str, JsonValue] = Field(description="the spec with every default filled in")
