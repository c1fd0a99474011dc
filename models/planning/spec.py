"""What a job spec means: the wire's JobSpec, narrowed to the parts on the shelves, and its open choices settled."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from athanor import contract
from athanor.contract import MAX_BATCH, Schema
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.roles import Roles, assign
from models.errors import SpecError
from models.parts.architecture import ARCHITECTURES, COUNTED, Architecture, Inputs, Recipe
from models.parts.augmentation import AUGMENTATIONS, Augmentation
from models.parts.loss import LOSSES, Loss
from models.parts.metric import direction
from models.parts.optimizer import OPTIMIZERS, Optimizer
from models.parts.schedule import SCHEDULES, Schedule
from models.parts.split import default_split
from models.parts.target import TARGETS

if TYPE_CHECKING:
    AnyArchitecture = Architecture
    AnyLoss = Loss
    AnyOptimizer = Optimizer
    AnySchedule = Schedule
    AnyAugmentation = Augmentation
else:
    AnyArchitecture = ARCHITECTURES.union()
    AnyLoss = LOSSES.union()
    AnyOptimizer = OPTIMIZERS.union()
    AnySchedule = SCHEDULES.union()
    AnyAugmentation = AUGMENTATIONS.union()


def _described(name: str) -> str | None:
    return contract.Hyperparameters.model_fields[name].description


class Hyperparameters(contract.Hyperparameters):
    optimizer: AnyOptimizer | None = Field(None, description=_described("optimizer"))
    schedule: AnySchedule | None = Field(None, description=_described("schedule"))
    loss: AnyLoss | None = Field(None, description=_described("loss"))
    augmentations: tuple[AnyAugmentation, ...] = Field((), max_length=16, description=_described("augmentations"))


class JobSpec(contract.JobSpec):
    architecture: AnyArchitecture
    dataset: DatasetChoice
    hyperparameters: Hyperparameters = Field(default_factory=Hyperparameters)


def settle(spec: JobSpec, schema: Schema) -> tuple[JobSpec, Roles]:
    """Fill in every default that depends on the architecture or the data. Raises SpecError."""
    if "split" not in spec.dataset.model_fields_set:
        chosen = spec.dataset.model_copy(update={"split": default_split(schema)})
        spec = spec.model_copy(update={"dataset": chosen})
    roles = assign(spec.dataset, schema, spec.architecture)
    given, recipe = spec.hyperparameters, spec.architecture.recipe
    loss = given.loss or LOSSES[roles.asks.losses[0]].model_validate({})
    fitting = roles.asks.fitting_losses()
    if loss.kind not in fitting:
        raise SpecError(
            "/hyperparameters/loss/kind",
            f"{loss.kind} does not fit {roles.task}",
            code="wrong_loss",
            suggestion="use one of " + ", ".join(fitting),
        )
    _check_augmentations(given.augmentations, roles)
    course = _descent(given, recipe, foreseen(roles)) if recipe is not COUNTED else _counting(given, spec.architecture)
    stopping = given.early_stopping
    if stopping is not None:
        stopping = stopping.model_copy(update={"mode": stopping.mode or direction(stopping.series)})
    settled = given.model_copy(update={**course, "loss": loss, "early_stopping": stopping})
    many, language = roles.is_table, roles.language
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
    # None of a series that there is not; whether there is one depends on the rows, which the rehearsal knows.
    checkpoints = checkpoints.model_copy(update={"mode": checkpoints.mode or direction(checkpoints.series)})
    if checkpoints.every_epochs is None and checkpoints.every_steps is None:
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


def _descent(given: Hyperparameters, recipe: Recipe, inputs: Inputs) -> dict[str, Any]:
    optimizer = given.optimizer or OPTIMIZERS[recipe.optimizer].model_validate(
        {"lr": recipe.lr_of(inputs.features), "weight_decay": recipe.weight_decay}
    )
    # Said to be null: off. A settled spec says so of everything that is, and settles into itself.
    said = given.model_fields_set
    usual = "constant" if "schedule" in said else recipe.schedule
    return {
        "epochs": given.epochs or (None if given.steps else recipe.epochs),
        "batch_size": MAX_BATCH if optimizer.full_batch else given.batch_size or recipe.batch_size,
        "optimizer": optimizer,
        "schedule": given.schedule or SCHEDULES[usual].model_validate({}),
        "clip_norm": given.clip_norm if "clip_norm" in said else recipe.clip_norm,
    }


def _counting(given: Hyperparameters, architecture: Architecture) -> dict[str, Any]:
    """One step, and nothing that has to do with gradients. Raises SpecError where something else was asked for."""
    fitting: dict[str, Any] = {"epochs": 1, "steps": 1, "loss": LOSSES["cross_entropy"].model_validate({})}
    for name, field in Hyperparameters.model_fields.items():
        # A settled spec names every field: only what differs was asked for.
        asked, default = getattr(given, name), field.get_default(call_default_factory=True)
        if name not in ("batch_size", "seed") and asked not in (default, fitting.get(name)):
            raise SpecError(
                f"/hyperparameters/{name}",
                f"{architecture.kind} is counted in one pass over the text; {name} cannot change that",
                code="counted",
                suggestion=f"leave {name} out",
            )
    return {"epochs": None, "steps": 1, "batch_size": given.batch_size or COUNTED.batch_size}


def _check_augmentations(augmentations: Sequence[Augmentation], roles: Roles) -> None:
    """Refuse what cannot change these inputs, or would change what is asked of them."""
    inputs, mixed = foreseen(roles), None
    for place, each in enumerate(augmentations):
        where = f"/hyperparameters/augmentations/{place}"
        if inputs.kind not in each.accepts or roles.asks.level not in each.levels:
            fitting = [
                part.model_fields["kind"].default
                for part in AUGMENTATIONS
                if inputs.kind in part.accepts and roles.asks.level in part.levels
            ]
            tasks = sorted(target.task for target in TARGETS if target.level in each.levels)
            raise SpecError(
                f"{where}/kind",
                f"{each.kind} is for {' or '.join(sorted(each.accepts))} inputs in {' or '.join(tasks)}; "
                f"this is {roles.task} from {inputs.kind} inputs",
                code="wrong_augmentation",
                suggestion="use one of " + ", ".join(fitting) if fitting else None,
            )
        if each.mixes and mixed is not None:
            raise SpecError(
                f"{where}/kind",
                f"{mixed} mixes the examples already; once is all",
                code="wrong_augmentation",
                suggestion="leave one of them out",
            )
        mixed = each.kind if each.mixes else mixed
        try:
            each.build(inputs)
        except SpecError as refusal:
            raise SpecError(
                where + refusal.pointer, refusal.message, code=refusal.code, suggestion=refusal.suggestion
            ) from refusal


def foreseen(roles: Roles) -> Inputs:
    """The inputs as the schema lets us expect them; a vocabulary is at most what the whole dataset has."""
    if roles.language is not None:
        return Inputs("text", (roles.language.context,), vocabulary=roles.outputs, per_word=True, causal=True)
    return replace(roles.expected(), per_word=roles.asks.per_word())
