"""A dry build on the meta device: what a job needs, and whether it can work at all, before it is queued.

Nothing is allocated: shapes alone are computed. The bounds in each part's spec keep the build itself small.
"""

from itertools import islice

import torch
from torch import nn

from athanor.contract import JobSpec as WireSpec
from athanor.contract import Plan, Schema
from models.data.preparation.roles import Roles
from models.data.preparation.split import sizes, steps_per_epoch
from models.errors import SpecError
from models.nn.module_roles import output_layers
from models.parts.architecture import Architecture, Counted, Inputs, example
from models.parts.split import Sizes
from models.planning.freezing import freeze
from models.planning.spec import JobSpec, foreseen, settle
from models.planning.transfer import Start
from models.settings import Limits

SHOWN = 1000
"""Parameters that a plan names."""

KEPT: dict[type[nn.Module], int] = {nn.RNN: 2, nn.GRU: 8, nn.LSTM: 17}
"""Numbers that a recurrence keeps for each of its states: gates, what they are made of, cells. As measured on a
processor; all others keep one for each number of their answer."""


def rehearse(spec: JobSpec, schema: Schema, rows: int, limits: Limits, start: Start | None = None) -> Plan:
    """Settle the spec, build it without memory, and count. Raises SpecError where it cannot work.

    `start` is the checkpoint that training begins with, where it does not begin with chance.
    """
    said = spec.hyperparameters
    spec, roles = settle(start.choose(spec, schema) if start else spec, schema)
    folds = _sizes(spec, schema, rows, roles)
    parts = folds[0]
    if said.epochs is None and said.steps is None and spec.hyperparameters.epochs:
        spec = _long_enough(spec, parts.train)
    chosen = spec.hyperparameters
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
    outputs = inputs.vocabulary if inputs.causal else roles.outputs
    model, parameters, activations = _measure(spec.architecture, inputs, outputs, batch)
    if isinstance(model, Counted):
        # The whole text at most, with a mark at either end. To sort it takes about 250 bytes a token, as measured.
        tokens = roles.tokens(rows) + 2
        parameters, activations = model.most(tokens), activations + 64 * tokens
    freeze(model, chosen.freeze)
    fresh = start.fresh(spec.architecture, inputs, outputs, same_answers) if start else []
    if stuck := [name for name, each in model.named_parameters() if name in fresh and not each.requires_grad]:
        raise SpecError("/hyperparameters/freeze", f"{stuck[0]} is drawn anew here; frozen it would learn nothing")
    _check_bound(spec, model)
    if batch == 1 and any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        raise SpecError(
            "/hyperparameters/batch_size",
            "batch normalization compares the rows of a batch, and a single row with nothing",
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
    numbers = (3 + averages) * parameters + (1 + states) * trainable
    kept = (1 + averages) * parameters + states * trainable
    if isinstance(model, Counted):
        # Whole numbers, of eight bytes.
        numbers, kept = 2 * numbers, 2 * kept
    held = parts.train + parts.val + parts.test if roles.language else rows
    resident = held * inputs.features * (8 if inputs.kind == "text" else 4)
    # An evaluation's batches are no larger than a step's, and count as much as one.
    memory = 4 * (numbers + activations + _kept_outputs(folds, inputs, outputs, roles)) + resident
    if memory > limits.max_memory_bytes:
        raise SpecError(
            "/hyperparameters/optimizer/kind" if whole else "/hyperparameters/batch_size",
            f"about {memory / 2**30:,.1f} GiB would be needed; the limit is {limits.max_memory_bytes / 2**30:,.1f} GiB",
            code="over_limit",
            suggestion=f"{'sgd, whose batches are smaller,' if whole else 'a smaller batch_size'} or a smaller network",
        )
    per_epoch = 1 if isinstance(model, Counted) else steps_per_epoch(parts.train, chosen.batch_size)
    steps = sum(chosen.steps or (chosen.epochs or 1) * steps_per_epoch(fold.train, chosen.batch_size) for fold in folds)
    if steps > limits.max_steps:
        raise SpecError("/hyperparameters", f"{steps:,} steps; the limit is {limits.max_steps:,}", code="over_limit")
    return Plan(
        task=roles.task,
        directions=roles.asks.directions(),
        parameters=parameters,
        trainable=trainable,
        memory_bytes=memory,
        train_rows=parts.train,
        val_rows=parts.val,
        test_rows=parts.test,
        trainings=len(folds),
        steps=steps,
        steps_per_epoch=per_epoch,
        checkpoint_bytes=4 * kept,
        shapes={name: list(each.shape) for name, each in islice(model.named_parameters(), SHOWN)},
        fresh=fresh,
        spec=WireSpec.model_validate(spec.model_dump(mode="json")).model_dump(mode="json"),
    )


def _kept_outputs(folds: list[Sizes], inputs: Inputs, outputs: int, roles: Roles) -> int:
    """Numbers that an evaluation keeps of a whole part, the largest that is evaluated.

    Three times its outputs: they are joined from batches, and the loss makes a copy and the logarithms of that. The
    outputs of a language model are measured batch by batch.
    """
    if roles.language is not None:
        return 0
    rows = max(max(fold.val, fold.test) for fold in folds)
    return 3 * rows * outputs * (inputs.features if inputs.per_word else 1)


def _long_enough(spec: JobSpec, rows: int) -> JobSpec:
    """The spec with as many epochs as its recipe wants for so many rows to train on."""
    chosen, recipe = spec.hyperparameters, spec.architecture.recipe
    epochs = recipe.epochs_of(steps_per_epoch(rows, chosen.batch_size or recipe.batch_size))
    return spec.model_copy(update={"hyperparameters": chosen.model_copy(update={"epochs": epochs})})


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


def _sizes(spec: JobSpec, schema: Schema, rows: int, roles: Roles) -> list[Sizes]:
    """Rows of each part, of every training that the job is made of."""
    column = next((column for column in schema.columns if column.name == roles.part), None)
    counts = dict(zip(column.classes or [], column.counts or [], strict=True)) if column else {}
    split = spec.dataset.split
    folds = [sizes(split, rows, roles, counts, fold) for fold in range(split.trainings)]
    split.check_sizes(rows, folds)
    parts = folds[0]
    if parts.train < 2:
        what = f"windows of {roles.language.context} tokens" if roles.language else f"of {rows} rows"
        raise SpecError("/dataset/split", f"{parts.train} {what} are left to train on", code="too_few_rows")
    stopping, series = spec.hyperparameters.early_stopping, spec.checkpoints.series
    falls = spec.hyperparameters.schedule is not None and spec.hyperparameters.schedule.reduce_on_plateau() is not None
    for pointer, wanted in (
        ("/hyperparameters/early_stopping/series", stopping.series if stopping else None),
        # The default is no fault in itself: a settled spec names it, asked for or not.
        ("/checkpoints/series", series if series != roles.asks.series else None),
        # But where there is none the rate would never fall.
        ("/hyperparameters/schedule/kind", series if falls else None),
    ):
        if wanted is not None and wanted not in evaluated(roles, parts):
            raise SpecError(
                pointer,
                f"no evaluation of this job gives '{wanted}'",
                code="unknown_series",
                suggestion="one of " + ", ".join(evaluated(roles, parts)) if parts.val else "give split.val a share",
            )
    return folds


def evaluated(roles: Roles, parts: Sizes) -> list[str]:
    """Names of the series that an evaluation of the validation part gives."""
    return [f"val/{name}" for name in roles.asks.directions()] if parts.val else []


def _measure(architecture: Architecture, inputs: Inputs, outputs: int, batch: int) -> tuple[nn.Module, int, int]:
    """The network without its numbers, how many they are, and how many a forward pass leaves for the backward pass."""
    kept, newest = 0, None

    def keep(module: nn.Module, _given: object, answer: object) -> None:
        nonlocal kept, newest
        newest = answer[0] if isinstance(answer, tuple) else answer
        if isinstance(newest, torch.Tensor):
            kept += newest.numel() * KEPT.get(type(module), 1)

    try:
        with torch.device("meta"):
            module = architecture.build(inputs, outputs)
            if isinstance(module, Counted):
                # What it answers depends on what it counted. A few copies of the chances are made on the way.
                return module, 0, 6 * batch * (inputs.features + architecture.reach) * outputs
            parameters = sum(parameter.numel() for parameter in module.parameters())
            for child in module.modules():
                if not list(child.children()):
                    child.register_forward_hook(keep)
            with torch.no_grad():
                answer_BK = module.eval()(example(inputs, batch, "meta"))
    except SpecError:
        raise
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise SpecError("/architecture", f"{architecture.kind} cannot be built: {first}", code="shape") from error
    if answer_BK is not newest:
        # No layer gave it: a function did.
        kept += answer_BK.numel()
    shape = (batch, *inputs.shape, outputs) if inputs.per_word else (batch, outputs)
    assert tuple(answer_BK.shape) == shape, f"{architecture.kind} gave {tuple(answer_BK.shape)}"
    return module, parameters, kept
