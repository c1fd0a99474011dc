"""Training methods: an architecture names one. A new one has a file for its steps and a file for its plan."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from models.data.preparation.examples import Examples
from models.parts.architecture import ARCHITECTURES
from models.parts.architectures.linear import Linear
from models.parts.optimizers.sgd import SGD
from models.planning.method import Cost, MetaNetwork, MethodPlanner
from models.planning.spec import JobSpec
from models.settings import Limits
from tests import small
from worker.training.learner import Learner
from worker.training.loop import Step
from worker.training.method import TrainingMethod, method_of
from worker.training.methods.counting import Counting
from worker.training.methods.gradient_descent import GradientDescent


@pytest.mark.parametrize("kind", [part.model_fields["kind"].default for part in ARCHITECTURES])
def test_every_architecture_names_a_method(kind: str) -> None:
    part = ARCHITECTURES[kind]
    expected = GradientDescent if small.descends(part) else Counting
    assert isinstance(method_of(part.model_validate({})), expected)


class GuessingPlanner:
    """One step, whatever the rows; a job may start anywhere, and needs its weights alone."""

    def hyperparameters(self, given: object, architecture: object, inputs: object) -> dict[str, Any]:
        return {"epochs": None, "steps": 1, "batch_size": 7}

    def steps_per_epoch(self, rows: int, batch_size: int) -> int:
        return 1

    def epochs(self, architecture: object, steps_per_epoch: int) -> int:
        raise AssertionError("the method decides the steps")

    def check_start(self, architecture: object) -> None: ...

    def cost(self, network: MetaNetwork, spec: object) -> Cost:
        parameters = sum(parameter.numel() for parameter in network.module.parameters())
        return Cost(parameters, parameters, 4 * parameters, 4 * parameters)

    def defaults(self, architecture: object) -> str:
        return "Every weight is drawn once."


class Guessing:
    """Draws every weight, once."""

    def optimizer(self, hyperparameters: object, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD([{"params": []}])

    def steps(self, learner: Learner, train: Examples, val: Any, observers: Any = ()) -> Iterator[Step]:
        for parameter in learner.model.parameters():
            nn.init.constant_(parameter, 0.5)
        learner.state.step = 1
        yield Step(1, 1.0, {"train/loss": learner.evaluate(train.part())["loss"]}, last=True)


@pytest.fixture
def guessing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new method: two files and their name in an architecture."""
    method, planner = Guessing(), GuessingPlanner()
    steps: TrainingMethod = method
    plans: MethodPlanner = planner
    for folder, instances in (("worker.training", {"METHOD": steps}), ("models.planning", {"PLANNER": plans})):
        module = ModuleType(f"{folder}.methods.guessing")
        vars(module).update(instances)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Linear, "training_method", "guessing")


@pytest.mark.usefixtures("guessing")
def test_a_new_method_is_planned(tmp_path: Path) -> None:
    table = small.table("vector", tmp_path / "t")
    spec = JobSpec.model_validate({"architecture": {"kind": "linear"}, "dataset": {"id": "x"}})
    plan = small.planned(spec, table.schema, table.rows, Limits())
    assert (plan.steps, plan.steps_per_epoch, plan.checkpoint_bytes) == (1, 1, 4 * plan.parameters)
    chosen = JobSpec.model_validate(plan.spec).hyperparameters
    assert (chosen.steps, chosen.epochs, chosen.batch_size, chosen.optimizer) == (1, None, 7, None)


@pytest.mark.usefixtures("guessing")
def test_a_new_method_trains() -> None:
    learner = small.learner(Linear(), SGD(), "vector")
    assert learner.optimizer.param_groups[0]["params"] == []
    (step,) = small.steps(learner, Linear(), Examples(*small.problem("vector")), None)
    # All classes alike: none is known from another.
    assert step.series["train/loss"] == pytest.approx(torch.tensor(3.0).log().item(), rel=1e-5)
