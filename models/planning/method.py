"""What planning asks of a training method: its hyperparameters and its cost. Each method has a file in `methods/`."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from torch import nn

from models.parts.architecture import Architecture
from models.parts.inputs import NamedInputs
from models.planning.spec import Hyperparameters, JobSpec


@dataclass(frozen=True)
class MetaNetwork:
    """A network on the meta device, with the parameters frozen that the spec freezes, and what it reads."""

    module: nn.Module
    inputs: NamedInputs
    outputs: int
    batch: int
    """Rows of a training batch."""
    tokens: int | None
    """Tokens of the whole running text; None where the network reads rows."""


@dataclass(frozen=True)
class Cost:
    """What a training needs, without its data and without the outputs of its evaluations."""

    parameters: int
    trainable: int
    """Parameters that a step changes."""
    memory_bytes: int
    checkpoint_bytes: int


class MethodPlanner(Protocol):
    """What planning asks of a training method. Its file names an instance PLANNER."""

    def hyperparameters(
        self, given: Hyperparameters, architecture: Architecture, inputs: NamedInputs
    ) -> dict[str, Any]:
        """Values of the fields that the method decides, all defaults filled in. Raises SpecError for what it ignores.

        Applied to resolved hyperparameters, it changes nothing.
        """

    def steps_per_epoch(self, rows: int, batch_size: int) -> int:
        """Steps in which a training part of `rows` rows is seen once."""

    def epochs(self, architecture: Architecture, steps_per_epoch: int) -> int:
        """Epochs of a job that gives neither epochs nor steps, where `hyperparameters` gives it epochs."""

    def check_start(self, architecture: Architecture) -> None:
        """Raises SpecError where a training cannot start from the weights of a checkpoint."""

    def cost(self, network: MetaNetwork, spec: JobSpec) -> Cost:
        """What a training needs. Raises what the network's forward raises."""

    def defaults(self, architecture: type[Architecture]) -> str:
        """What a job gets where its hyperparameters say nothing, in one sentence."""


def planner_of(architecture: Architecture | type[Architecture]) -> MethodPlanner:
    """The planner of the method that trains what `architecture` builds."""
    planner: MethodPlanner = import_module(f"models.planning.methods.{architecture.training_method}").PLANNER
    return planner
