"""Training that starts from a checkpoint: which tensors it takes over, and which inputs it must have."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from torch import nn

from athanor.contract import Schema
from models.data.preparation import reuse
from models.data.preparation.examples import Preparation
from models.data.preparation.roles import Roles
from models.errors import SpecError
from models.parts.architecture import Architecture
from models.parts.inputs import NamedInputs
from models.planning.method import planner_of
from models.planning.spec import JobSpec

Shapes = Mapping[str, tuple[int, ...]]
NAMED = 3
"""How many tensors an error names."""


@dataclass(frozen=True)
class Start:
    """A checkpoint as a start: how its rows become tensors, and the shapes of its weights."""

    preparation: Preparation
    shapes: Shapes

    @classmethod
    def read(cls, weights: Path, preparation: Path) -> "Start":
        with safe_open(weights, framework="pt") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        return cls(Preparation.model_validate_json(preparation.read_text()), shapes)

    def choose(self, spec: JobSpec, schema: Schema) -> JobSpec:
        """Where the spec names no inputs, fill in the columns that the parent knows by name. Raises SpecError."""
        planner_of(spec.architecture).check_start(spec.architecture)
        wanted, choice = self.preparation.encoder.required_columns, spec.dataset
        if wanted is None or choice.inputs is not None or choice.input is not None:
            return spec
        there = {column.name for column in schema.columns}
        if missing := [name for name in wanted if name not in there]:
            raise SpecError(
                "/dataset/id",
                f"the parent learned from '{missing[0]}', and the dataset has no such column",
                code="unknown_column",
            )
        return spec.model_copy(update={"dataset": choice.model_copy(update={"inputs": wanted})})

    def reads(self, roles: Roles) -> tuple[NamedInputs, bool]:
        """The inputs that the network is built for, and whether its outputs mean what the parent's mean.

        Raises SpecError.
        """
        encoder = reuse.encoder(self.preparation.encoder, roles)
        per_word = roles.asks.per_word()
        inputs = {name: replace(each, per_word=per_word) for name, each in encoder.named_inputs().items()}
        return inputs, reuse.target(self.preparation.target, roles, roles.inputs[0].name) is not None

    def fresh(self, architecture: Architecture, inputs: NamedInputs, outputs: int, same_answers: bool) -> list[str]:
        """Names of the tensors that are drawn anew.

        None if the outputs mean the same as the parent's; otherwise those whose shape depends on the number of outputs.
        Raises SpecError if another tensor does not have the shape that it has in the checkpoint.
        """
        here = _shapes(architecture, inputs, outputs)
        wider = {} if same_answers else _shapes(architecture, inputs, outputs + 1)
        anew = [name for name, shape in here.items() if wider.get(name, shape) != shape]
        unlike = [
            name
            for name in dict.fromkeys((*here, *self.shapes))
            if name not in anew and here.get(name) != self.shapes.get(name)
        ]
        if unlike:
            told = "; ".join(f"{name} {_told(self.shapes.get(name), here.get(name))}" for name in unlike[:NAMED])
            more = f"; and {len(unlike) - NAMED} more" if len(unlike) > NAMED else ""
            raise SpecError("/architecture", f"the checkpoint does not fit: {told}{more}", code="wrong_shape")
        return anew


@torch.no_grad()
def take_over(model: nn.Module, weights: dict[str, torch.Tensor], fresh: list[str]) -> None:
    """Copy the tensors of a checkpoint into a network, except the `fresh` ones."""
    for name, value in model.state_dict().items():
        if name not in fresh:
            value.copy_(weights[name])


def _shapes(architecture: Architecture, inputs: NamedInputs, outputs: int) -> Shapes:
    with torch.device("meta"):
        built = architecture.build_for(inputs, outputs)
    return {name: tuple(value.shape) for name, value in built.state_dict().items()}


def _told(before: tuple[int, ...] | None, now: tuple[int, ...] | None) -> str:
    if before is None or now is None:
        return "is missing" if before is None else "has no place"
    return f"has the shape {list(before)}, not {list(now)}"
