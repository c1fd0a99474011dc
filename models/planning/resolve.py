"""Resolve a spec: every default is filled in once, when the spec is submitted.

The job stores the result beside the spec as it was sent. Trainers, predictions, exports and forks read the result.
"""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from athanor.contract import Column, ColumnRole, Direction, Schema
from models.data.columns import find_column
from models.data.preparation.roles import InputColumns, Roles, assign
from models.data.preparation.split import sizes
from models.errors import SpecError
from models.parts.architecture import Architecture
from models.parts.augmentation import AUGMENTATIONS, Augmentation
from models.parts.inputs import ONLY, Inputs, NamedInputs
from models.parts.loss import LOSSES
from models.parts.metric import direction
from models.parts.split import Sizes, default_split
from models.parts.target import TARGETS, Language
from models.planning.column_roles import column_roles
from models.planning.engine import choose as choose_engine
from models.planning.method import planner_of
from models.planning.spec import JobSpec
from models.planning.transfer import Start

_BETWEEN_CHECKPOINTS = 2.0
"""Seconds at least. A step of a small network takes a hundredth of the time of a checkpoint."""


class ResolvedRoles(BaseModel):
    """Names of the columns that a job reads. `split` is the one whose values divide the rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inputs: dict[str, list[str]]
    """Of each input of the network, by its name."""
    target: str
    split: str | None
    weight: str | None = None


class ResolvedSpec(BaseModel):
    """A spec with all defaults filled in, and what follows from it and from the dataset's description."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec: JobSpec
    roles: ResolvedRoles
    sizes: list[Sizes]
    """Rows of each training (windows of a running text). A cross-validation has one training per fold."""
    steps: int
    """Steps of all trainings together, estimated from the description."""
    steps_per_epoch: int
    directions: dict[str, Direction]
    """For each measure of an evaluation, whether lower or higher is better."""
    engine_reason: str | None = None
    """Why the spec has its engine."""
    columns: list[ColumnRole] = []
    """What the job does with each column of the dataset."""
    described: list[Column] = []
    """Columns that the spec reads in another way than the dataset describes them."""

    def schema_of(self, schema: Schema) -> Schema:
        """The dataset's schema with the columns as this spec reads them."""
        other = {column.name: column for column in self.described}
        if not other:
            return schema
        return schema.model_copy(update={"columns": [other.get(each.name, each) for each in schema.columns]})

    def roles_in(self, schema: Schema) -> Roles:
        """The columns themselves, from the schema of the dataset."""
        choice = self.spec.dataset
        columns = {column.name: column for column in self.schema_of(schema).columns}
        assert choice.task is not None
        language = None
        if choice.tokens is not None:
            assert choice.documents is not None and choice.context is not None
            language = Language(choice.tokens, choice.documents, choice.context, self.spec.architecture.reach)
        accepts = self.spec.architecture.inputs
        return Roles(
            choice.task,
            {
                name: InputColumns(accepts[name], [columns[each] for each in names])
                for name, names in self.roles.inputs.items()
            },
            columns[self.roles.target],
            self.roles.split,
            language,
            columns[self.roles.weight] if self.roles.weight is not None else None,
        )


def resolve(spec: JobSpec, schema: Schema, rows: int, start: Start | None = None) -> ResolvedSpec:
    """Fill in everything that a spec leaves open. Raises SpecError with a pointer to the field that cannot work.

    `schema` describes the columns as the spec's `dataset.features` read them, the others as the dataset does. `start`
    is the checkpoint from which training starts; None for random weights.
    """
    submitted, said = spec.hyperparameters, spec.dataset
    for name in said.features:
        find_column(schema, name, "/dataset/features")
    spec, roles = _settle(start.choose(spec, schema) if start else spec, schema)
    parts = _sizes(spec, schema, rows, roles)
    chosen, method = spec.hyperparameters, planner_of(spec.architecture)
    assert chosen.batch_size
    per_epoch = [method.steps_per_epoch(part.train, chosen.batch_size) for part in parts]
    if submitted.epochs is None and submitted.steps is None and chosen.epochs:
        chosen = chosen.model_copy(update={"epochs": method.epochs(spec.architecture, per_epoch[0])})
        spec = spec.model_copy(update={"hyperparameters": chosen})
    if chosen.schedule is not None:
        chosen = chosen.model_copy(update={"schedule": chosen.schedule.in_steps(per_epoch[0])})
        spec = spec.model_copy(update={"hyperparameters": chosen})
    engine, reason = choose_engine(spec)
    spec = spec.model_copy(update={"resources": spec.resources.model_copy(update={"engine": engine})})
    return ResolvedSpec(
        spec=spec,
        roles=ResolvedRoles(
            inputs={name: [column.name for column in each.columns] for name, each in roles.named.items()},
            target=roles.target.name,
            split=roles.part,
            weight=roles.weight.name if roles.weight else None,
        ),
        sizes=parts,
        steps=sum(chosen.steps or (chosen.epochs or 1) * steps for steps in per_epoch),
        steps_per_epoch=per_epoch[0],
        directions=roles.asks.directions(),
        engine_reason=reason,
        columns=column_roles(said, roles, schema, spec.architecture),
        described=[column for column in schema.columns if column.name in spec.dataset.features],
    )


def _settle(spec: JobSpec, schema: Schema) -> tuple[JobSpec, Roles]:
    """Fill in every default that depends on the architecture or the data. Raises SpecError."""
    if "split" not in spec.dataset.model_fields_set:
        chosen = spec.dataset.model_copy(update={"split": default_split(schema)})
        spec = spec.model_copy(update={"dataset": chosen})
    roles = assign(spec.dataset, schema, spec.architecture)
    given = spec.hyperparameters
    loss = given.loss or LOSSES[roles.asks.losses[0]].model_validate({})
    fitting = roles.asks.fitting_losses()
    if loss.kind not in fitting:
        raise SpecError(
            "/hyperparameters/loss/kind",
            f"{loss.kind} does not fit {roles.task}",
            code="wrong_loss",
            suggestion="use one of " + ", ".join(fitting),
        )
    _check_augmentations(given.augmentations, roles, spec.architecture)
    decided = planner_of(spec.architecture).hyperparameters(given, spec.architecture, foreseen(roles))
    stopping = given.early_stopping
    if stopping is not None:
        stopping = stopping.model_copy(update={"mode": stopping.mode or direction(stopping.series)})
    settled = given.model_copy(update={**decided, "loss": loss, "early_stopping": stopping})
    many, language = roles.by_name, roles.language
    dataset = spec.dataset.model_copy(
        update={
            "task": roles.task,
            "target": None if language else roles.target.name,
            "tokens": language.tokens if language else None,
            "documents": language.documents if language else None,
            "context": language.context if language else None,
            "inputs": [column.name for column in roles.inputs] if many else None,
            "input": None if many else roles.inputs[0].name,
        }
    )
    checkpoints = spec.checkpoints
    if "series" not in checkpoints.model_fields_set and roles.asks.series != checkpoints.series:
        checkpoints = checkpoints.model_copy(update={"series": roles.asks.series})
    # An unknown series has no direction. Whether this job gives the series depends on its rows: see `_sizes`.
    checkpoints = checkpoints.model_copy(update={"mode": checkpoints.mode or direction(checkpoints.series)})
    is_default = checkpoints.every_epochs is None and checkpoints.every_steps is None
    if checkpoints.min_seconds is None:
        checkpoints = checkpoints.model_copy(update={"min_seconds": _BETWEEN_CHECKPOINTS if is_default else 0.0})
    if is_default:
        checkpoints = checkpoints.model_copy(update={"every_epochs": 1})
    architecture = spec.architecture.settled(language is not None)
    filled = spec.model_copy(
        update={
            "architecture": architecture,
            "hyperparameters": settled,
            "dataset": dataset,
            "checkpoints": checkpoints,
        }
    )
    return filled, roles


def _check_augmentations(augmentations: Sequence[Augmentation], roles: Roles, architecture: Architecture) -> None:
    """Raises SpecError for augmentations that cannot change these inputs, or whose targets would be wrong."""
    inputs, mixed = foreseen(roles), None
    kinds = {one.kind for one in inputs.values()}
    for place, each in enumerate(augmentations):
        where = f"/hyperparameters/augmentations/{place}"
        if each.input is not None and each.input not in inputs:
            raise SpecError(
                f"{where}/input",
                f"{architecture.kind} has no input called '{each.input}'",
                code="wrong_augmentation",
                suggestion="leave it out" if len(inputs) == 1 else "one of " + ", ".join(inputs),
            )
        name = each.changes(inputs)
        if name is None and each.input is None and kinds & each.accepts:
            raise SpecError(
                f"{where}/input",
                "say which input it changes",
                code="wrong_augmentation",
                suggestion="one of " + ", ".join(inputs),
            )
        if name is None or roles.asks.level not in each.levels:
            fitting = [
                part.model_fields["kind"].default
                for part in AUGMENTATIONS
                if kinds & part.accepts and roles.asks.level in part.levels
            ]
            tasks = sorted(target.task for target in TARGETS if target.level in each.levels)
            raise SpecError(
                f"{where}/kind",
                f"{each.kind} is for {' or '.join(sorted(each.accepts))} inputs in {' or '.join(tasks)}; "
                f"this is {roles.task} from {' and '.join(sorted(kinds))} inputs",
                code="wrong_augmentation",
                suggestion="use one of " + ", ".join(fitting) if fitting else None,
            )
        if each.mixes and len(inputs) > 1:
            raise SpecError(
                f"{where}/kind",
                f"{each.kind} mixes whole examples; {architecture.kind} has several inputs",
                code="wrong_augmentation",
            )
        if each.mixes and mixed is not None:
            raise SpecError(
                f"{where}/kind",
                f"{mixed} already mixes the examples; only one augmentation can",
                code="wrong_augmentation",
                suggestion="leave one of them out",
            )
        mixed = each.kind if each.mixes else mixed
        try:
            each.build(inputs[name])
        except SpecError as refusal:
            raise SpecError(
                where + refusal.pointer, refusal.message, code=refusal.code, suggestion=refusal.suggestion
            ) from refusal


def foreseen(roles: Roles) -> NamedInputs:
    """The inputs that the schema leads to. The vocabulary is that of the whole dataset, so it is an upper bound."""
    if roles.language is not None:
        tokens = Inputs("text", (roles.language.context,), vocabulary=roles.outputs, per_word=True, causal=True)
        return {ONLY: tokens}
    per_word = roles.asks.per_word()
    return {name: replace(each.expected(), per_word=per_word) for name, each in roles.named.items()}


def _sizes(spec: JobSpec, schema: Schema, rows: int, roles: Roles) -> list[Sizes]:
    """The rows of each part, for every training of the job."""
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
        # A resolved spec names the default series too, so the default alone is no mistake.
        ("/checkpoints/series", series if series != roles.asks.series else None),
        # This schedule needs a series, also the default one: without it the rate would never fall.
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
