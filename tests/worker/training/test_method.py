"""Training methods: an architecture names one, and a new one is a file."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from models.data.preparation.examples import Examples
from models.parts.architecture import ARCHITECTURES, COUNTED
from models.parts.architectures.linear import Linear
from models.parts.optimizers.sgd import SGD
from tests import small
from worker.training.learner import Learner
from worker.training.loop import Step
from worker.training.method import TrainingMethod, method_of
from worker.training.methods.counting import Counting
from worker.training.methods.gradient_descent import GradientDescent


@pytest.mark.parametrize("kind", [part.model_fields["kind"].default for part in ARCHITECTURES])
def test_every_architecture_names_a_method(kind: str) -> None:
    part = ARCHITECTURES[kind]
    expected = Counting if part.recipe is COUNTED else GradientDescent
    assert isinstance(method_of(part.model_validate({})), expected)


class Guessing:
    """Draws every weight, once."""

    def optimizer(self, hyperparameters: object, model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD([{"params": []}])

    def steps(self, learner: Learner, train: Examples, val: Any, observers: Any = ()) -> Iterator[Step]:
        for parameter in learner.model.parameters():
            nn.init.constant_(parameter, 0.5)
        learner.state.step = 1
        yield Step(1, 1.0, {"train/loss": learner.evaluate(train.x, train.t)["loss"]}, last=True)


def test_a_new_method_is_a_file_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    method: TrainingMethod = Guessing()
    module: Any = ModuleType("worker.training.methods.guessing")
    module.METHOD = method
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Linear, "training_method", "guessing")
    learner = small.learner(Linear(), SGD(), "vector")
    assert learner.optimizer.param_groups[0]["params"] == []
    (step,) = small.steps(learner, Linear(), Examples(*small.problem("vector")), None)
    # All classes alike: none is known from another.
    assert step.series["train/loss"] == pytest.approx(torch.tensor(3.0).log().item(), rel=1e-5)
