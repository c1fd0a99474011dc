"""Training by gradient descent, batch by batch: `loop.fit`."""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from models.data.preparation.examples import Examples, Part
from models.planning.spec import Hyperparameters
from worker.training.learner import Learner
from worker.training.loop import Step, fit
from worker.training.step import Observer


class GradientDescent:
    """The optimizer of the spec, over gradients of one process."""

    def optimizer(self, hyperparameters: Hyperparameters, model: nn.Module) -> torch.optim.Optimizer:
        assert hyperparameters.optimizer is not None
        return hyperparameters.optimizer.over(model, decay_biases=hyperparameters.decay_biases)

    def steps(
        self, learner: Learner, train: Examples, val: Part | None, observers: Sequence[Observer] = ()
    ) -> Iterator[Step]:
        batching = learner.config.batching
        # A process that makes batches shares host memory, and no device's.
        rows = train if batching.workers else train.to(learner.device)
        return fit(learner, lambda epoch: rows.epoch(batching.seed, epoch), val, observers)


METHOD = GradientDescent()
