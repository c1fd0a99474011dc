"""Gradient descent: an optimizer, a schedule and batches, with the architecture's recipe as default."""

from typing import Any

import torch
from torch import nn

from athanor.contract import MAX_BATCH
from models.data.preparation.split import steps_per_epoch
from models.nn.named_tensors import call
from models.parts.architecture import Architecture, examples
from models.parts.inputs import NamedInputs, numbers
from models.parts.optimizer import OPTIMIZERS
from models.parts.schedule import SCHEDULES
from models.planning.method import Cost, MetaNetwork
from models.planning.spec import Hyperparameters, JobSpec

KEPT: dict[type[nn.Module], int] = {nn.RNN: 2, nn.GRU: 8, nn.LSTM: 17}
"""Numbers that a recurrence keeps for each of its states: gates, what they are made of, cells. As measured on a
processor; all others keep one for each number of their answer."""


class GradientDescentPlanner:
    """For networks whose weights have gradients."""

    def hyperparameters(
        self, given: Hyperparameters, architecture: Architecture, inputs: NamedInputs
    ) -> dict[str, Any]:
        recipe = architecture.recipe
        optimizer = given.optimizer or OPTIMIZERS[recipe.optimizer].model_validate(
            {"lr": recipe.lr_of(numbers(inputs)), "weight_decay": recipe.weight_decay}
        )
        # A field that is null is off. A resolved spec says null for each option that is off, and resolves to itself.
        said = given.model_fields_set
        usual = "constant" if "schedule" in said else recipe.schedule
        return {
            "epochs": given.epochs or (None if given.steps else recipe.epochs),
            "batch_size": MAX_BATCH if optimizer.full_batch else given.batch_size or recipe.batch_size,
            "optimizer": optimizer,
            "schedule": given.schedule or SCHEDULES[usual].model_validate({}),
            "clip_norm": given.clip_norm if "clip_norm" in said else recipe.clip_norm,
        }

    def steps_per_epoch(self, rows: int, batch_size: int) -> int:
        return steps_per_epoch(rows, batch_size)

    def epochs(self, architecture: Architecture, steps_per_epoch: int) -> int:
        return architecture.recipe.epochs_of(steps_per_epoch)

    def check_start(self, architecture: Architecture) -> None:
        """Gradient descent starts from any weights."""

    def cost(self, network: MetaNetwork, spec: JobSpec) -> Cost:
        chosen, model = spec.hyperparameters, network.module
        parameters = sum(parameter.numel() for parameter in model.parameters())
        trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        averages = 1 if chosen.ema or chosen.swa else 0
        states = chosen.optimizer.states if chosen.optimizer else 0
        # Trainable parameters have gradients and the optimizer's numbers. All have their average, the best values,
        # which are kept for the test, and a copy while those are evaluated.
        values = (3 + averages) * parameters + (1 + states) * trainable
        if spec.checkpoints.min_seconds:
            # A best checkpoint that waits has a copy of the rest of its state.
            values += averages * parameters + states * trainable
        return Cost(
            parameters,
            trainable,
            memory_bytes=4 * (values + activations(network)),
            checkpoint_bytes=4 * ((1 + averages) * parameters + states * trainable),
        )

    def defaults(self, architecture: type[Architecture]) -> str:
        recipe = architecture.recipe
        decay = f", weight_decay {recipe.weight_decay:g}" if recipe.weight_decay else ""
        clip = f", clip_norm {recipe.clip_norm:g}" if recipe.clip_norm else ""
        more = f", and more on few rows, for {recipe.least_steps} steps" if recipe.least_steps else ""
        fall = f"; lr falls in proportion beyond {recipe.most_inputs} inputs" if recipe.most_inputs else ""
        return (
            f"Defaults of a job: {recipe.optimizer} with lr {recipe.lr:g}{decay}, schedule {recipe.schedule}, "
            f"batch_size {recipe.batch_size}{clip}, {recipe.epochs} epochs{more}{fall}."
        )


def activations(network: MetaNetwork) -> int:
    """How many numbers a forward pass of one batch leaves for the backward pass."""
    kept, newest = 0, None

    def keep(module: nn.Module, _given: object, answer: object) -> None:
        nonlocal kept, newest
        newest = answer[0] if isinstance(answer, tuple) else answer
        if isinstance(newest, torch.Tensor):
            kept += newest.numel() * KEPT.get(type(module), 1)

    hooks = [child.register_forward_hook(keep) for child in network.module.modules() if not list(child.children())]
    try:
        with torch.no_grad(), torch.device("meta"):
            answer_BK = call(network.module.eval(), examples(network.inputs, network.batch, "meta"))
    finally:
        for hook in hooks:
            hook.remove()
    if answer_BK is not newest:
        # A function gave the answer, and no layer.
        kept += answer_BK.numel()
    words = next(iter(network.inputs.values()))
    shape = (network.batch, *words.shape, network.outputs) if words.per_word else (network.batch, network.outputs)
    assert tuple(answer_BK.shape) == shape, f"the network gave {tuple(answer_BK.shape)}, not {shape}"
    return kept


PLANNER = GradientDescentPlanner()
