"""Training without gradients: a counted network reads the training text once, in one step."""

import time
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import nn

from models.data.preparation.examples import Examples, Part, Text
from models.parts.architecture import Counted
from models.planning.spec import Hyperparameters
from worker.training.learner import Learner
from worker.training.loop import Step
from worker.training.stages.progress import track
from worker.training.step import Observer


class Counting:
    """For architectures whose networks are `Counted`. The step has no stages, and so observers see nothing of it."""

    def optimizer(self, hyperparameters: Hyperparameters, model: nn.Module) -> torch.optim.Optimizer:
        """One over no parameters, which does nothing and remembers nothing."""
        return torch.optim.SGD([{"params": []}])

    def steps(
        self, learner: Learner, train: Examples, val: Part | None, observers: Sequence[Observer] = ()
    ) -> Iterator[Step]:
        """The one step of reading the text; nothing where it has been made.

        `train/loss` is over the whole text, each token after all of its context.
        """
        state, model, text = learner.state, cast(Counted, learner.model), cast(Text, train)
        if state.step:
            return
        began = time.monotonic()
        series = {"train/loss": model.count(text.tokens.to(learner.device))}
        series["samples_per_second"] = len(text) / max(1e-9, time.monotonic() - began)
        state.step, score, improved = 1, None, False
        if val is not None:
            series |= {f"val/{name}": value for name, value in learner.evaluate(val).items()}
            score, improved = track(learner.config.progress, state, series)
        yield Step(1, 1.0, series, score, improved, last=True)


METHOD = Counting()
