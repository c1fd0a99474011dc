"""From a resolved spec and its data to a learner: used by trainers, tests and benchmarks alike."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from models.data.preparation.examples import Preparation, Prepared
from models.data.preparation.split import steps_per_epoch
from models.nn.initialization import initialize
from models.parts.schedule import Schedule
from models.parts.schedules.constant import Constant
from models.planning.freezing import freeze
from models.planning.spec import Hyperparameters, JobSpec
from models.planning.transfer import take_over
from worker.training import device as devices
from worker.training.batch import AugmentedBatches
from worker.training.engine import engine_of
from worker.training.learner import Learner, TrainingConfig
from worker.training.loader import Batching
from worker.training.method import method_of
from worker.training.stages.averaging import Averaging, Tensors
from worker.training.stages.clipping import Clipping
from worker.training.stages.evaluation import Evaluation, SummedMetrics
from worker.training.stages.forward import Forward
from worker.training.stages.progress import EarlyStopping, Progress
from worker.training.stages.regularization import Regularization


@dataclass(frozen=True)
class InitialWeights:
    """What a fork starts with: weights, all but those that are drawn afresh, and how rows become tensors."""

    weights: Tensors
    preparation: Preparation
    fresh: list[str]

    @classmethod
    def read(cls, weights: str, preparation: str, fresh: list[str]) -> "InitialWeights":
        """From the paths of its files."""
        return cls(load_file(weights), Preparation.model_validate_json(Path(preparation).read_text()), fresh)


def build(spec: JobSpec, prepared: Prepared, initial: InitialWeights | None = None) -> Learner:
    """A learner before its first step, on the device of the spec.

    Seeds this process's generators: equal specs and data give equal weights. Raises RuntimeError where the spec wants
    a CUDA device and there is none, SpecError where the network cannot be built.
    """
    hyperparameters = spec.hyperparameters
    device = devices.prepare(hyperparameters.seed, spec.resources.device)
    inputs = prepared.preparation.named_inputs()
    model = spec.architecture.build_for(inputs, prepared.preparation.target.outputs)
    initialize(model, hyperparameters.init)
    if initial is not None:
        take_over(model, initial.weights, initial.fresh)
    model = model.to(device)
    if any(each.channels_last for each in inputs.values()):
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    freeze(model, hyperparameters.freeze)
    engine = engine_of(spec.resources.engine)(model)
    optimizer = method_of(spec.architecture).optimizer(hyperparameters, engine.trained)
    return Learner(model, optimizer, _configure(spec, prepared, device), chosen_engine=engine)


def _configure(spec: JobSpec, prepared: Prepared, device: torch.device) -> TrainingConfig:
    hyperparameters, target = spec.hyperparameters, prepared.preparation.target
    schedule, swa = hyperparameters.schedule or Constant(), hyperparameters.swa
    assert hyperparameters.loss is not None
    counts_K = None
    if target.part.has_classes:
        counts_K = _count_classes(prepared.train.t, target.outputs).to(device)
    return TrainingConfig(
        forward=Forward(
            target.criterion(hyperparameters.loss.build_for(counts_K)),
            accumulate=hyperparameters.accumulate,
            slope=None if target.part.per_word() else hyperparameters.loss.slope(),
            bf16=hyperparameters.precision == "bf16",
        ),
        batching=batching_of(spec, prepared),
        evaluation=Evaluation(
            target.measure,
            measure_step=target.measure_step,
            summed=SummedMetrics(target.count, target.conclude) if target.part.sums_up() else None,
        ),
        rate_factor=schedule.factor,
        clipping=Clipping(hyperparameters.clip_norm, hyperparameters.clip_value),
        regularization=Regularization(hyperparameters.l1, hyperparameters.max_norm),
        averaging=Averaging(hyperparameters.ema, swa.start if swa else None),
        progress=_progress(spec, hyperparameters, schedule),
        every_steps=spec.metrics.every_steps,
    )


def batching_of(spec: JobSpec, prepared: Prepared) -> Batching:
    """How a job divides its training rows into batches, and how many it takes."""
    hyperparameters, rows = spec.hyperparameters, len(prepared.train)
    assert hyperparameters.batch_size is not None
    per_epoch = steps_per_epoch(rows, hyperparameters.batch_size)
    augmentations = hyperparameters.augmentations
    return Batching(
        steps=hyperparameters.steps or (hyperparameters.epochs or 1) * per_epoch,
        steps_per_epoch=per_epoch,
        # The validation part may have more rows, and its batches are no larger than these.
        batch_size=min(hyperparameters.batch_size, rows),
        seed=hyperparameters.seed,
        augment=AugmentedBatches(augmentations, prepared.preparation.named_inputs(), hyperparameters.seed)
        if augmentations
        else None,
        workers=spec.resources.data_workers,
    )


def _progress(spec: JobSpec, hyperparameters: Hyperparameters, schedule: Schedule) -> Progress:
    policy, stopping = spec.checkpoints, hyperparameters.early_stopping
    assert policy.mode is not None
    return Progress(
        policy.series,
        policy.mode,
        early_stopping=EarlyStopping(stopping.series, stopping.mode, stopping.patience, stopping.min_delta)
        if stopping and stopping.mode
        else None,
        plateau=schedule.reduce_on_plateau(),
    )


def _count_classes(t_N: torch.Tensor, classes: int) -> torch.Tensor:
    """How many targets t_N or t_NT each class has; -1, which pads, is of none. In pieces: a text may be long."""
    counts_K = torch.zeros(classes, dtype=torch.int64)
    for piece in torch.split(t_N, 4096):
        counts_K += torch.bincount(piece[piece >= 0], minlength=classes)
    return counts_K
