"""Training without gradients: a counted network reads the training text once, in one step."""

import time
from collections.abc import Iterator

import torch

from models.parts.architecture import Counted
from worker.training.loader import Part
from worker.training.loop import Learner, Step, evaluate, judge


def count(learner: Learner, tokens_n: torch.Tensor, windows: int, val: Part | None) -> Iterator[Step]:
    """Yield the one step of reading `tokens_n`, which is so many windows; nothing where it has been made.

    `train/loss` is over the whole text, each token after all of its context.
    """
    course, memory, model = learner.course, learner.memory, learner.model
    if memory.step:
        return
    assert isinstance(model, Counted)
    began = time.monotonic()
    series = {"train/loss": model.count(tokens_n)}
    series["samples_per_second"] = windows / max(1e-9, time.monotonic() - began)
    memory.step, score, improved = 1, None, False
    if val is not None:
        series |= {f"val/{name}": value for name, value in evaluate(learner, *val).items()}
        score, improved = judge(course, memory, series)
    yield Step(1, 1.0, series, score, improved, last=True)


def nothing_to_move() -> torch.optim.Optimizer:
    """The optimizer of a network that has no parameters: it does nothing and remembers nothing."""
    return torch.optim.SGD([{"params": []}])
