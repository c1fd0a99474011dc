"""The training loop: a generator of steps. It knows torch and networks, and stopping is not asking for more.

    for step in fit(learner, train, val):
        print(step.number, step.series)

Shape letters: N rows of a part, B rows of a batch, K outputs.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from models.nn.module_roles import frozen_modules, output_layers
from worker.training.batch import Batch
from worker.training.loader import Augment, Batches, Part, Supply, feed

Tensors = dict[str, torch.Tensor]
Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Measure = Callable[[torch.Tensor, torch.Tensor], dict[str, float]]
EVALUATION_BATCH = 512


class NonFinite(ArithmeticError):
    """The loss is NaN or infinite."""

    def __init__(self, step: int, loss: float, lr: float) -> None:
        super().__init__(f"the loss became {loss} at step {step}, with a learning rate of {lr:g}")
        self.step = step


@dataclass(frozen=True)
class Stopping:
    """Stop when `series` has not improved by `min_delta` for `patience` evaluations."""

    series: str
    mode: Literal["min", "max"]
    patience: int
    min_delta: float


@dataclass(frozen=True)
class Plateau:
    """Multiply the rate by `factor`, down to `least`, when `series` stood still for more than `patience` evaluations.

    To stand still is not to improve on the best by more than `threshold`.
    """

    series: str
    mode: Literal["min", "max"]
    factor: float
    patience: int
    threshold: float
    least: float


@dataclass(frozen=True)
class Tally:
    """Measures made of sums, for outputs that are too large to be held together. The first sum counts the targets."""

    count: Callable[[torch.Tensor, torch.Tensor], list[float]]
    conclude: Callable[[list[float]], dict[str, float]]


@dataclass(frozen=True)
class TrainingConfig:
    """What stays the same from the first step to the last."""

    criterion: Criterion
    factor: Callable[[int, int], float]
    measure: Measure
    steps: int
    steps_per_epoch: int
    batch_size: int
    seed: int
    clip_norm: float | None = None
    clip_value: float | None = None
    l1: float = 0.0
    max_norm: float | None = None
    bf16: bool = False
    ema: float | None = None
    swa: float | None = None
    """The share of the run after which the weights at the ends of epochs are averaged."""
    stopping: Stopping | None = None
    plateau: Plateau | None = None
    best_series: str | None = None
    best_mode: Literal["min", "max"] = "min"
    every_steps: int = 1
    tally: Tally | None = None
    augment: Augment | None = None
    data_workers: int = 0
    """Processes that make batches ahead. The bytes are the same with any number."""
    measure_step: Measure | None = None
    """What a training step is measured by, where `measure` takes long."""


@dataclass
class LoopState:
    """What the loop remembers from step to step beside tensors. Plain numbers: it is saved as JSON."""

    step: int = 0
    best: float | None = None
    watched: float | None = None
    waited: int = 0
    stopped: bool = False
    scale: float = 1.0
    """What falls have left of the rate."""
    height: float | None = None
    """The best of the plateau's series."""
    still: int = 0
    averaged: int = 0
    """Epochs whose weights are in the equal average."""


@dataclass(frozen=True)
class Step:
    """What one step brought. `series` is empty between reports."""

    number: int
    epoch: float
    series: dict[str, float]
    score: float | None = None
    """Value of the best-series, where this step was evaluated."""
    improved: bool = False
    last: bool = False


@dataclass
class Learner:
    """Everything that changes while training, and nothing else: saving it all is what makes a resume exact."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    course: TrainingConfig
    memory: LoopState = field(default_factory=LoopState)
    average: Tensors | None = None
    """The moving or the equal average of the weights, where the course has one and it has begun."""

    def __post_init__(self) -> None:
        if self.course.ema is not None and self.average is None:
            self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.readout = [each.weight for each in output_layers(self.model)]
        self.still = frozen_modules(self.model)
        self.rates: list[float] = [group["lr"] for group in self.optimizer.param_groups]

    def weights(self) -> Tensors:
        """The weights that are evaluated and kept: the average where there is one."""
        return self.average if self.average is not None else self.model.state_dict()


def fit(learner: Learner, train: Part | Supply, val: Part | None) -> Iterator[Step]:
    """Train from where `learner` stands to the end of its course. Raises NonFinite."""
    course, memory = learner.course, learner.memory
    clock, counted = time.monotonic(), 0
    if memory.step >= course.steps or memory.stopped:
        return
    device = next(learner.model.parameters()).device
    batches = Batches(train, course.seed, course.batch_size, course.steps_per_epoch, course.augment)
    for ahead in feed(batches, memory.step, course.steps, course.data_workers):
        batch = ahead.to(device)
        factor = course.factor(memory.step, course.steps) * memory.scale
        for group, rate in zip(learner.optimizer.param_groups, learner.rates, strict=True):
            group["lr"] = rate * factor
        loss, y_BK, norm = _step(learner, batch)
        memory.step += 1
        counted += len(batch)

        last = memory.step == course.steps
        series: dict[str, float] = {}
        reports = memory.step % course.every_steps == 0 or last
        ends_epoch = memory.step % course.steps_per_epoch == 0 or last
        # To look at a number on a GPU is to wait for it; between reports that is left out.
        if (reports or ends_epoch or not loss.is_cuda) and not math.isfinite(loss):
            raise NonFinite(memory.step, float(loss), learner.rates[0] * factor)
        if reports:
            series = {"train/loss": float(loss), "lr": learner.rates[0] * factor, "grad_norm": float(norm)}
            measured = (course.measure_step or course.measure)(y_BK, batch.dominant)
            series |= {f"train/{name}": measured[name] for name in ("accuracy", "rmse") if name in measured}
        score, improved = None, False
        if ends_epoch:
            _gather(learner)
            series["samples_per_second"] = counted / max(1e-9, time.monotonic() - clock)
            if val is not None:
                series |= {f"val/{name}": value for name, value in evaluate(learner, *val).items()}
                score, improved = judge(course, memory, series)
            clock, counted = time.monotonic(), 0
        yield Step(
            memory.step,
            memory.step / course.steps_per_epoch,
            series,
            score,
            improved,
            last or memory.stopped,
        )
        if memory.stopped:
            return


def _step(learner: Learner, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One update. Returns the loss, the outputs, and the norm of the gradient before clipping."""
    course, model = learner.course, learner.model
    model.train()
    for module in learner.still:
        module.training = False
    learner.optimizer.zero_grad(set_to_none=True)
    with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=course.bf16):
        y_BK = model(shaped(batch.x))
    y_BK = y_BK.float()
    loss = batch.loss(course.criterion, y_BK)
    loss.backward()  # type: ignore[no-untyped-call]
    if course.l1:
        _pull(model, course.l1)
    norm = nn.utils.clip_grad_norm_(model.parameters(), course.clip_norm or math.inf)
    if course.clip_value is not None:
        nn.utils.clip_grad_value_(model.parameters(), course.clip_value)
    learner.optimizer.step()
    if course.max_norm is not None and learner.readout:
        _shorten(learner.readout, course.max_norm)
    if course.ema is not None and learner.average is not None:
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if value.is_floating_point():
                    learner.average[name].lerp_(value, 1 - course.ema)
                else:
                    learner.average[name].copy_(value)
    return loss.detach(), y_BK.detach(), norm


@torch.no_grad()
def _pull(model: nn.Module, l1: float) -> None:
    """Add the gradient of l1 · Σ|w| over all that has more than one dimension; at 0 it is 0."""
    for parameter in model.parameters():
        if parameter.grad is not None and parameter.dim() > 1:
            parameter.grad.add_(parameter.sign(), alpha=l1)


@torch.no_grad()
def _shorten(readout: list[torch.Tensor], max_norm: float) -> None:
    """Scale every row that is longer than `max_norm` back to it (Kim 2014, section 3.1).

    Maps w_KF of several inputs to the same outputs are one, side by side.
    """
    length_K1 = torch.cat([w_KF.detach() for w_KF in readout], 1).norm(dim=1, keepdim=True)
    for w_KF in readout:
        w_KF.mul_((max_norm / length_K1).clamp(max=1))


def _gather(learner: Learner) -> None:
    """Take the weights at the end of an epoch into their equal average, once the course says so."""
    course, memory = learner.course, learner.memory
    if course.swa is None or memory.step < course.swa * course.steps:
        return
    memory.averaged += 1
    values = learner.model.state_dict()
    if learner.average is None:
        learner.average = {name: value.detach().clone() for name, value in values.items()}
    for name, value in values.items():
        if value.is_floating_point():
            learner.average[name].lerp_(value, 1 / memory.averaged)
        else:
            learner.average[name].copy_(value)


def shaped(x_B: torch.Tensor) -> torch.Tensor:
    """A batch as networks like it: images with channels last in memory, texts without columns that only pad."""
    if x_B.dim() == 4:
        return x_B.contiguous(memory_format=torch.channels_last)
    if x_B.dtype == torch.int64:
        words = int((x_B != 0).any(0).nonzero().amax()) + 1
        return x_B[:, :words]
    return x_B


@torch.no_grad()
def evaluate(
    learner: Learner, x_N: torch.Tensor, t_N: torch.Tensor, weights: Tensors | None = None
) -> dict[str, float]:
    """Loss and measures over a whole part, of the given weights or else of the kept ones."""
    course, model = learner.course, learner.model
    weights = learner.average if weights is None else weights
    trained = None
    if weights is not None:
        trained = {name: value.clone() for name, value in model.state_dict().items()}
        model.load_state_dict(weights)
    if course.tally is not None:
        measured = _tallied(course, course.tally, model, x_N, t_N)
    else:
        y_NK = outputs(model, x_N, course.bf16)
        measured = {"loss": float(course.criterion(y_NK, t_N)), **course.measure(y_NK, t_N)}
    if trained is not None:
        model.load_state_dict(trained)
    return measured


def _tallied(
    course: TrainingConfig, tally: Tally, model: nn.Module, x_N: torch.Tensor, t_N: torch.Tensor
) -> dict[str, float]:
    """Batches no larger than those of training: whoever could train can evaluate."""
    loss, sums = 0.0, [0.0]
    for x_B, t_B in zip(torch.split(x_N, course.batch_size), torch.split(t_N, course.batch_size), strict=True):
        y_B = outputs(model, x_B, course.bf16)
        here = tally.count(y_B, t_B)
        loss += here[0] * float(course.criterion(y_B, t_B))
        sums = [one + other for one, other in zip(sums if len(sums) > 1 else [0.0] * len(here), here, strict=True)]
    return {"loss": loss / sums[0], **tally.conclude(sums)}


@torch.no_grad()
def outputs(model: nn.Module, x_N: torch.Tensor, bf16: bool = False) -> torch.Tensor:
    """y_NK, or y_NTK, in float32, without dropout, batch by batch."""
    model.eval()
    answers = []
    for x_B in torch.split(x_N, EVALUATION_BATCH):
        with torch.autocast(x_B.device.type, torch.bfloat16, enabled=bf16):
            y_B = model(shaped(x_B)).float()
        if y_B.dim() == 3:
            # Batches were cut to their longest sentences.
            y_B = nn.functional.pad(y_B, (0, 0, 0, x_N.shape[1] - y_B.shape[1]))
        answers.append(y_B)
    return torch.cat(answers)


def judge(course: TrainingConfig, memory: LoopState, series: dict[str, float]) -> tuple[float | None, bool]:
    """Whether an evaluation is the best so far, and whether it was one too many without progress."""
    score = series.get(course.best_series or "")
    score = score if score is not None and math.isfinite(score) else None
    improved = score is not None and better(score, memory.best, course.best_mode)
    if improved:
        memory.best = score
    if course.stopping is not None:
        # Absent where it is undefined, as r2 is for targets that are all equal: no progress.
        watched = series.get(course.stopping.series, math.nan)
        if better(watched, memory.watched, course.stopping.mode, course.stopping.min_delta):
            memory.watched, memory.waited = watched, 0
        else:
            memory.waited += 1
            memory.stopped = memory.waited >= course.stopping.patience
    if course.plateau is not None:
        _descend(course.plateau, memory, series.get(course.plateau.series, math.nan))
    return score, improved


def _descend(plateau: Plateau, memory: LoopState, value: float) -> None:
    """Lower the rate where an evaluation was one too many without progress."""
    if better(value, memory.height, plateau.mode, plateau.threshold):
        memory.height, memory.still = value, 0
    else:
        memory.still += 1
    if memory.still > plateau.patience:
        memory.scale, memory.still = max(plateau.least, memory.scale * plateau.factor), 0


def better(new: float, old: float | None, mode: Literal["min", "max"], by: float = 0.0) -> bool:
    """Whether `new` improves on `old` by more than `by`. NaN never does."""
    if old is None:
        return not math.isnan(new)
    return new < old - by if mode == "min" else new > old + by
