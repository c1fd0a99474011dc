"""Build a job on the meta device before it is queued, to find out what it needs and whether it can work.

Only shapes are computed, and no memory is allocated. The limits in each part's spec keep the build itself small.
"""

from itertools import islice

import torch
from torch import nn

from athanor.contract import JobSpec as WireSpec
from athanor.contract import Plan, Schema
from models.data.preparation.roles import Roles
from models.errors import SpecError
from models.nn.module_roles import output_layers
from models.nn.named_tensors import call
from models.parts.architecture import Architecture, Counted, examples
from models.parts.inputs import NamedInputs, numbers, only
from models.parts.split import Sizes
from models.planning.freezing import freeze
from models.planning.resolve import ResolvedSpec, foreseen
from models.planning.spec import JobSpec
from models.planning.transfer import Start
from models.settings import Limits

SHOWN = 1000
"""Parameters that a plan names."""

KEPT: dict[type[nn.Module], int] = {nn.RNN: 2, nn.GRU: 8, nn.LSTM: 17}
"""Numbers that a recurrence keeps for each of its states: gates, what they are made of, cells. As measured on a
processor; all others keep one for each number of their answer."""


def rehearse(resolved: ResolvedSpec, schema: Schema, rows: int, limits: Limits, start: Start | None = None) -> Plan:
    """Build a resolved spec without memory, and estimate its cost. Raises SpecError if it cannot work.

    `start` is the checkpoint from which training starts; None for random weights.
    """
    spec, roles, folds = resolved.spec, resolved.roles_in(schema), resolved.sizes
    chosen, parts = spec.hyperparameters, folds[0]
    assert chosen.batch_size
    whole = chosen.optimizer is not None and chosen.optimizer.full_batch
    if chosen.optimizer and whole and parts.train > chosen.batch_size:
        raise SpecError(
            "/hyperparameters/optimizer/kind",
            f"{parts.train:,} rows to train on; {chosen.optimizer.kind} takes them in one batch of at most "
            f"{chosen.batch_size:,}",
            code="over_limit",
            suggestion="sgd, whose batches are smaller",
        )
    batch = min(chosen.batch_size, parts.train)
    inputs, same_answers = start.reads(roles) if start else (foreseen(roles), False)
    # A language model has an answer for every token that it reads.
    outputs = only(inputs).vocabulary if roles.language else roles.outputs
    model, parameters, activations = _measure(spec.architecture, inputs, outputs, batch)
    if isinstance(model, Counted):
        # The whole text at most, with a mark at either end. To sort it takes about 250 bytes a token, as measured.
        tokens = roles.tokens(rows) + 2
        parameters, activations = model.most(tokens), activations + 64 * tokens
    freeze(model, chosen.freeze)
    fresh = start.fresh(spec.architecture, inputs, outputs, same_answers) if start else []
    if stuck := [name for name, each in model.named_parameters() if name in fresh and not each.requires_grad]:
        raise SpecError("/hyperparameters/freeze", f"{stuck[0]} has random weights; frozen it would not learn")
    _check_bound(spec, model)
    if batch == 1 and any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        raise SpecError(
            "/hyperparameters/batch_size",
            "batch normalization needs two or more rows in a batch",
            code="too_few_rows",
            suggestion="2 or more, or architecture.normalization = none",
        )
    if parameters > limits.max_parameters:
        raise SpecError(
            "/architecture",
            f"{parameters:,} parameters; the limit is {limits.max_parameters:,}",
            code="over_limit",
        )
    # Of what is trained also gradients and the optimizer's numbers; of all the weights, their average, the best of them
    # kept for the test, and a copy while those are evaluated.
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    averages = 1 if chosen.ema or chosen.swa else 0
    states = chosen.optimizer.states if chosen.optimizer else 0
    values = (3 + averages) * parameters + (1 + states) * trainable
    kept = (1 + averages) * parameters + states * trainable
    if isinstance(model, Counted):
        # Whole numbers, of eight bytes.
        values, kept = 2 * values, 2 * kept
    held = parts.train + parts.val + parts.test if roles.language else rows
    resident = held * sum(each.features * (8 if each.kind == "text" else 4) for each in inputs.values())
    # The batches of an evaluation are no larger than those of a step, so they need no more memory.
    memory = 4 * (values + activations + _kept_outputs(folds, inputs, outputs, roles)) + resident
    if memory > limits.max_memory_bytes:
        raise SpecError(
            "/hyperparameters/optimizer/kind" if whole else "/hyperparameters/batch_size",
            f"about {memory / 2**30:,.1f} GiB would be needed; the limit is {limits.max_memory_bytes / 2**30:,.1f} GiB",
            code="over_limit",
            suggestion=f"{'sgd, whose batches are smaller,' if whole else 'a smaller batch_size'} or a smaller network",
        )
    if resolved.steps > limits.max_steps:
        what = f"{resolved.steps:,} steps; the limit is {limits.max_steps:,}"
        raise SpecError("/hyperparameters", what, code="over_limit")
    return Plan(
        task=roles.task,
        directions=resolved.directions,
        parameters=parameters,
        trainable=trainable,
        memory_bytes=memory,
        train_rows=parts.train,
        val_rows=parts.val,
        test_rows=parts.test,
        trainings=len(folds),
        steps=resolved.steps,
        steps_per_epoch=resolved.steps_per_epoch,
        checkpoint_bytes=4 * kept,
        shapes={name: list(each.shape) for name, each in islice(model.named_parameters(), SHOWN)},
        fresh=fresh,
        spec=WireSpec.model_validate(spec.model_dump(mode="json")).model_dump(mode="json"),
    )


def _kept_outputs(folds: list[Sizes], inputs: NamedInputs, outputs: int, roles: Roles) -> int:
    """Numbers that an evaluation keeps of a whole part, the largest that is evaluated.

    Three times its outputs: they are joined from batches, and the loss makes a copy and the logarithms of that. The
    outputs of a language model are measured batch by batch.
    """
    if roles.language is not None:
        return 0
    rows = max(max(fold.val, fold.test) for fold in folds)
    return 3 * rows * outputs * (only(inputs).features if roles.asks.per_word() else 1)


def _check_bound(spec: JobSpec, model: nn.Module) -> None:
    """Whether the outputs have weights to bound, where max_norm is to."""
    if spec.hyperparameters.max_norm is None:
        return
    maps = output_layers(model)
    if not maps:
        raise SpecError(
            "/hyperparameters/max_norm",
            f"the outputs of this {spec.architecture.kind} have no weights of their own to bound",
            code="no_head",
            suggestion="architecture.tied = false" if getattr(spec.architecture, "tied", False) else None,
        )
    if not all(each.weight.requires_grad for each in maps):
        raise SpecError("/hyperparameters/max_norm", "the last affine map is frozen, and so is its norm", code="frozen")


def _measure(architecture: Architecture, inputs: NamedInputs, outputs: int, batch: int) -> tuple[nn.Module, int, int]:
    """The network without its numbers, how many they are, and how many a forward pass leaves for the backward pass."""
    kept, newest = 0, None

    def keep(module: nn.Module, _given: object, answer: object) -> None:
        nonlocal kept, newest
        newest = answer[0] if isinstance(answer, tuple) else answer
        if isinstance(newest, torch.Tensor):
            kept += newest.numel() * KEPT.get(type(module), 1)

    try:
        with torch.device("meta"):
            module = architecture.build_for(inputs, outputs)
            if isinstance(module, Counted):
                # What it answers depends on what it counted. A few copies of the chances are made on the way.
                return module, 0, 6 * batch * (numbers(inputs) + architecture.reach) * outputs
            parameters = sum(parameter.numel() for parameter in module.parameters())
            for child in module.modules():
                if not list(child.children()):
                    child.register_forward_hook(keep)
            with torch.no_grad():
                answer_BK = call(module.eval(), examples(inputs, batch, "meta"))
    except SpecError:
        raise
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise SpecError("/architecture", f"{architecture.kind} cannot be built: {first}", code="shape") from error
    if answer_BK is not newest:
        # No layer gave it: a function did.
        kept += answer_BK.numel()
    words = next(iter(inputs.values()))
    shape = (batch, *words.shape, outputs) if words.per_word else (batch, outputs)
    assert tuple(answer_BK.shape) == shape, f"{architecture.kind} gave {tuple(answer_BK.shape)}"
    return module, parameters, kept
