"""Training methods: how the weights of a network are computed. Each is a file in `methods/`."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Protocol

import torch
from torch import nn

from models.data.preparation.examples import Examples, Part
from models.parts.architecture import Architecture
from models.planning.spec import Hyperparameters
from worker.training.learner import Learner
from worker.training.loop import Step
from worker.training.step import Observer


class TrainingMethod(Protocol):
    """What `build` and a training run ask of a method. Its file names an instance METHOD."""

    def optimizer(self, hyperparameters: Hyperparameters, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of a fresh network, its hyperparameters resolved."""

    def steps(
        self, learner: Learner, train: Examples, val: Part | None, observers: Sequence[Observer] = ()
    ) -> Iterator[Step]:
        """The steps from where `learner` stands to the last. `train` is in host memory, `val` on the learner's device.

        The learner is up to date after each step that is yielded. Raises NonFinite.
        """


def method_of(architecture: Architecture) -> TrainingMethod:
    """The method that trains what `architecture` builds."""
    method: TrainingMethod = import_module(f"worker.training.methods.{architecture.training_method}").METHOD
    return method
