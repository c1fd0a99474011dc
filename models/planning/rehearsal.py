"""Build a job on the meta device before it is queued, to find out what it needs and whether it can work.

Only shapes are computed, and no memory is allocated. The limits in each part's spec keep the build itself small.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import torch
from torch import nn

from athanor.contract import JobSpec as WireSpec
from athanor.contract import Plan, Schema
from models.data.preparation.roles import Roles
from models.errors import SpecError
from models.nn.module_roles import output_layers
from models.parts.architecture import Architecture
from models.parts.inputs import NamedInputs, only
from models.parts.split import Sizes
from models.planning.freezing import freeze
from models.planning.method import MetaNetwork, planner_of
from models.planning.resolve import ResolvedSpec, foreseen
from models.planning.shape_inference import ShapeInference
from models.planning.spec import JobSpec
from models.planning.transfer import Start
from models.settings import Limits

SHOWN = 1000
"""Parameters that a plan names."""


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
    rows_of_step = min(chosen.batch_size, parts.train)
    if chosen.accumulate > rows_of_step:
        raise SpecError(
            "/hyperparameters/accumulate",
            f"a step has {rows_of_step:,} rows, too few for {chosen.accumulate:,} micro-batches",
            code="too_few_rows",
            suggestion=f"at most {rows_of_step}",
        )
    batch = -(-rows_of_step // chosen.accumulate)
    inputs, same_answers = start.reads(roles) if start else (foreseen(roles), False)
    # A language model predicts one of the tokens that it reads.
    outputs = only(inputs).vocabulary if roles.language else roles.outputs
    with _building(spec.architecture), torch.device("meta"), ShapeInference():
        model = spec.architecture.build_for(inputs, outputs)
    _check_parameters(sum(parameter.numel() for parameter in model.parameters()), limits)
    freeze(model, chosen.freeze)
    fresh = start.fresh(spec.architecture, inputs, outputs, same_answers) if start else []
    if stuck := [name for name, each in model.named_parameters() if name in fresh and not each.requires_grad]:
        raise SpecError("/hyperparameters/freeze", f"{stuck[0]} has random weights; frozen it would not learn")
    _check_bound(spec, model)
    if chosen.accumulate > 1 and any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in model.modules()):
        raise SpecError(
            "/hyperparameters/accumulate",
            "batch normalization takes its mean over a micro-batch, so the result would be another",
            code="normalized",
            suggestion="1, or architecture.normalization = none"
            if "normalization" in type(spec.architecture).model_fields
            else "1",
        )
    if batch == 1 and any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        raise SpecError(
            "/hyperparameters/batch_size",
            "batch normalization needs two or more rows in a batch",
            code="too_few_rows",
            suggestion="2 or more, or architecture.normalization = none",
        )
    network = MetaNetwork(model, inputs, outputs, batch, roles.tokens(rows) if roles.language else None)
    with _building(spec.architecture), ShapeInference():
        cost = planner_of(spec.architecture).cost(network, spec)
    # A training method may count more than the network has before it is trained.
    _check_parameters(cost.parameters, limits)
    held = parts.train + parts.val + parts.test if roles.language else rows
    resident = held * sum(each.features * each.itemsize for each in inputs.values())
    # The batches of an evaluation are no larger than those of a step, so they need no more memory.
    memory = cost.memory_bytes + 4 * _kept_outputs(folds, inputs, outputs, roles) + resident
    if chosen.accumulate > 1:
        # The outputs of all micro-batches are kept, and then joined, for the metrics of the step.
        memory += 2 * 4 * rows_of_step * _outputs_of_row(inputs, outputs, roles)
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
        intervals=roles.asks.intervals(),
        parameters=cost.parameters,
        trainable=cost.trainable,
        memory_bytes=memory,
        train_rows=parts.train,
        val_rows=parts.val,
        test_rows=parts.test,
        trainings=len(folds),
        steps=resolved.steps,
        steps_per_epoch=resolved.steps_per_epoch,
        checkpoint_bytes=cost.checkpoint_bytes,
        shapes={name: list(each.shape) for name, each in islice(model.named_parameters(), SHOWN)},
        columns=resolved.columns,
        fresh=fresh,
        engine_reason=resolved.engine_reason,
        spec=WireSpec.model_validate(spec.model_dump(mode="json")).model_dump(mode="json"),
    )


def _check_parameters(parameters: int, limits: Limits) -> None:
    if parameters > limits.max_parameters:
        raise SpecError(
            "/architecture", f"{parameters:,} parameters; the limit is {limits.max_parameters:,}", code="over_limit"
        )


def _kept_outputs(folds: list[Sizes], inputs: NamedInputs, outputs: int, roles: Roles) -> int:
    """How many numbers an evaluation keeps: three times the outputs of the largest part that is evaluated.

    The outputs of all batches are joined, and the loss makes a copy and the logarithms of the copy. The outputs of a
    language model are measured batch by batch.
    """
    if roles.language is not None:
        return 0
    rows = max(max(fold.val, fold.test) for fold in folds)
    return 3 * rows * _outputs_of_row(inputs, outputs, roles)


def _outputs_of_row(inputs: NamedInputs, outputs: int, roles: Roles) -> int:
    return outputs * (only(inputs).features if roles.asks.per_word() else 1)


def _check_bound(spec: JobSpec, model: nn.Module) -> None:
    """Raises SpecError where max_norm has no weights to bound."""
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


@contextmanager
def _building(architecture: Architecture) -> Iterator[None]:
    """Errors of torch become SpecError: the network cannot work on these inputs."""
    try:
        yield
    except SpecError:
        raise
    except (RuntimeError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise SpecError("/architecture", f"{architecture.kind} cannot be built: {first}", code="shape") from error
