"""What a spec and its data say about a training, in the loop's terms."""

from dataclasses import asdict

import torch

from athanor.contract import better_is
from models.data.preparation.examples import Prepared
from models.data.preparation.split import steps_per_epoch
from models.parts.schedules.constant import Constant
from models.planning.spec import JobSpec
from worker.training.batch import AugmentedBatches
from worker.training.loop import Plateau, Stopping, Tally, TrainingConfig


def build_config(spec: JobSpec, prepared: Prepared, device: torch.device) -> TrainingConfig:
    chosen, policy = spec.hyperparameters, spec.checkpoints
    assert chosen.batch_size and chosen.loss
    per_epoch = steps_per_epoch(len(prepared.train), chosen.batch_size)
    stopping, schedule = chosen.early_stopping, chosen.schedule or Constant()
    standstill = schedule.reduce_on_plateau()
    target, counts_K = prepared.preparation.target, None
    if target.task != "regression":
        counts_K = _of_each_class(prepared.train.t, target.outputs).to(device)
    return TrainingConfig(
        criterion=target.criterion(chosen.loss.build_for(counts_K)),
        factor=schedule.factor,
        measure=target.measure,
        measure_step=target.measure_step if target.task == "tagging" else None,
        steps=chosen.steps or (chosen.epochs or 1) * per_epoch,
        steps_per_epoch=per_epoch,
        batch_size=chosen.batch_size,
        seed=chosen.seed,
        clip_norm=chosen.clip_norm,
        clip_value=chosen.clip_value,
        l1=chosen.l1,
        max_norm=chosen.max_norm,
        bf16=chosen.precision == "bf16",
        ema=chosen.ema,
        swa=chosen.swa.start if chosen.swa else None,
        stopping=Stopping(
            stopping.series, stopping.mode or better_is(stopping.series), stopping.patience, stopping.min_delta
        )
        if stopping
        else None,
        plateau=Plateau(policy.series, better_is(policy.series), **asdict(standstill)) if standstill else None,
        best_series=policy.series,
        best_mode=better_is(policy.series),
        every_steps=spec.metrics.every_steps,
        tally=Tally(target.count, target.conclude) if target.task == "language_modeling" else None,
        augment=AugmentedBatches(chosen.augmentations, prepared.preparation.inputs(), chosen.seed)
        if chosen.augmentations
        else None,
        data_workers=spec.resources.data_workers,
    )


def _of_each_class(t_N: torch.Tensor, classes: int) -> torch.Tensor:
    """How many targets t_N or t_NT each class has; -1, which pads, is of none. In pieces: a text may be long."""
    counts_K = torch.zeros(classes, dtype=torch.int64)
    for piece in torch.split(t_N, 4096):
        counts_K += torch.bincount(piece[piece >= 0], minlength=classes)
    return counts_K
