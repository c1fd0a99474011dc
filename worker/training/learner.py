"""The learner: a model and its optimizer in training, with the configuration of the training."""

import inspect
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from itertools import chain

import torch
from torch import nn

from models.data.preparation.examples import Part
from models.nn.dropout import StepRandom
from models.nn.module_roles import frozen_modules, output_layers
from worker.training.engine import Engine
from worker.training.engines.eager import Eager
from worker.training.loader import Batching
from worker.training.stages.averaging import Averaging, Tensors, equal_average
from worker.training.stages.clipping import Clipping
from worker.training.stages.evaluation import Evaluation
from worker.training.stages.forward import Forward
from worker.training.stages.progress import LoopState, Progress
from worker.training.stages.regularization import Regularization


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that does not change during a training."""

    forward: Forward
    batching: Batching
    evaluation: Evaluation
    rate_factor: Callable[[int, int], float]
    """The factor of the optimizer's learning rates. Arguments: the step (from 0) and the number of steps."""
    clipping: Clipping = field(default_factory=Clipping)
    regularization: Regularization = field(default_factory=Regularization)
    averaging: Averaging = field(default_factory=Averaging)
    progress: Progress = field(default_factory=Progress)
    every_steps: int = 1
    """Steps between two points of a training series."""


@dataclass
class Learner:
    """All state that changes during a training. A resume is exact because a snapshot saves all of it.

    Random numbers are no state: those of a step follow from the seed and the step.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    config: TrainingConfig
    state: LoopState = field(default_factory=LoopState)
    average: Tensors | None = None
    """The averaged weights (EMA or SWA). None before the average starts, or if the configuration has none."""
    chosen_engine: InitVar[Engine | None] = None
    """What computes gradients; by default PyTorch's autograd. `optimizer` is over what it trains."""

    def __post_init__(self, chosen_engine: Engine | None) -> None:
        self.engine: Engine = chosen_engine or Eager(self.model)
        if self.average is None:
            self.average = self.config.averaging.start(self.model)
        self.readout = [each.weight for each in output_layers(self.model)]
        self.frozen = frozen_modules(self.model)
        self.random = StepRandom(self.config.batching.seed)
        self.random.attach(self.model.modules())
        self.train()
        # Without the profiler's hooks around it, which take a third of the step of a small network's optimizer.
        self._take_step = inspect.unwrap(type(self.optimizer).step)
        self.rates: list[float] = [group["lr"] for group in self.optimizer.param_groups]

    @torch.no_grad()
    def update(self) -> None:
        """Take a step of the optimizer."""
        self._take_step(self.optimizer)

    def train(self) -> None:
        """Put the network in training mode. Frozen modules stay in evaluation mode."""
        self.model.train()
        for module in self.frozen:
            module.training = False

    @property
    def device(self) -> torch.device:
        """The device of the parameters, or of the buffers if there are no parameters."""
        return next(chain(self.model.parameters(), self.model.buffers())).device

    def weights(self) -> Tensors:
        """The weights for evaluation and checkpoints: the average if there is one, else the model's."""
        return self.average if self.average is not None else self.model.state_dict()

    def set_rate(self) -> float:
        """Set the learning rate of each parameter group for the next step. Returns the rate of the first group."""
        state, config = self.state, self.config
        factor = config.rate_factor(state.step, config.batching.steps) * state.rate_scale
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        return self.rates[0] * factor

    def average_epoch(self) -> None:
        """Add the weights after an epoch to the equal average (SWA), if the configuration includes the epoch."""
        if self.config.averaging.includes(self.state.step, self.config.batching.steps):
            self.state.averaged += 1
            self.average = equal_average(self.model, self.average, self.state.averaged)

    @torch.no_grad()
    def evaluate(self, part: Part, weights: Tensors | None = None) -> dict[str, float]:
        """Loss and metrics over a whole part. Default for `weights`: the average, else the model's weights."""
        config = self.config
        weights = self.average if weights is None else weights
        trained = None
        if weights is not None:
            trained = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.model.load_state_dict(weights)
        rows = -(-config.batching.batch_size // config.forward.accumulate)
        measured = config.evaluation.measure_part(self.model, config.forward, part, rows)
        if trained is not None:
            self.model.load_state_dict(trained)
        return measured
