"""What a spec means once its open choices are resolved."""

import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from athanor.contract import Column, Schema
from athanor.contract import JobSpec as WireSpec
from models.data.preparation.roles import assign
from models.data.table import Table
from models.errors import SpecError
from models.parts.architecture import ARCHITECTURES, InputKind
from models.parts.augmentations.token_dropout import TokenDropout
from models.parts.inputs import only
from models.parts.optimizer import OPTIMIZERS
from models.parts.schedule import SCHEDULES
from models.parts.target import TARGETS
from models.planning.resolve import ResolvedSpec, foreseen, resolve
from models.planning.spec import JobSpec
from tests import small


def _spec(architecture: str = "mlp", **rest: Any) -> JobSpec:
    return JobSpec.model_validate({"architecture": {"kind": architecture}, "dataset": {"id": "x"}, **rest})


def _settled(resolved: ResolvedSpec) -> ResolvedSpec:
    """Without what is said about the columns: what was said is no guess any more."""
    return resolved.model_copy(update={"columns": []})


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return small.table("vector", tmp_path / "t")


def test_what_is_left_open_follows_from_the_recipe(table: Table) -> None:
    # Of many rows an epoch has many steps: none is added to the recipe's epochs.
    resolved = resolve(_spec(), table.schema, rows=100_000)
    spec, recipe = resolved.spec, ARCHITECTURES["mlp"].recipe
    chosen = spec.hyperparameters
    assert chosen.optimizer == OPTIMIZERS[recipe.optimizer].model_validate(
        {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
    )
    assert chosen.schedule == SCHEDULES[recipe.schedule].model_validate({})
    assert chosen.loss is not None and chosen.loss.kind == "cross_entropy"
    assert (chosen.epochs, chosen.steps, chosen.batch_size) == (recipe.epochs, None, recipe.batch_size)
    assert spec.checkpoints.every_epochs == 1
    assert spec.dataset.model_dump(include={"task", "target", "inputs", "input"}) == {
        "task": "classification",
        "target": "target",
        "inputs": ["height", "width", "color"],
        "input": None,
    }
    assert resolved.roles_in(table.schema).task == "classification"


def test_what_is_said_is_kept(table: Table) -> None:
    said = {
        "steps": 7,
        "batch_size": 3,
        "optimizer": {"kind": "adam"},
        "schedule": {"kind": "step", "gamma": 0.1},
        "loss": {"kind": "bce"},
        "clip_norm": 2.0,
    }
    spec = resolve(_spec(hyperparameters=said, checkpoints={"every_steps": 5}), table.schema, table.rows).spec
    dumped = spec.model_dump(mode="json", exclude_unset=False)["hyperparameters"]
    assert dumped["epochs"] is None
    assert dumped["optimizer"]["lr"] == 1e-3, "a named optimizer has its own rate, not the recipe's"
    for name, value in said.items():
        assert dumped[name] == value or dumped[name].items() >= value.items()  # type: ignore[attr-defined]
    assert (spec.checkpoints.every_steps, spec.checkpoints.every_epochs) == (5, None)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, 2.0),
        ({"every_steps": 5}, 0.0),
        ({"every_epochs": 1}, 0.0),
        ({"every_steps": 5, "min_seconds": 7.0}, 7.0),
        ({"min_seconds": 0.0}, 0.0),
    ],
)
def test_checkpoints_keep_their_distance_unless_all_are_asked_for(
    table: Table, said: dict[str, Any], seconds: float
) -> None:
    assert resolve(_spec(checkpoints=said), table.schema, table.rows).spec.checkpoints.min_seconds == seconds


@pytest.mark.parametrize("off", [None, 0, 0.0])
def test_null_is_off_and_absence_is_the_default(off: float | None, tmp_path: Path) -> None:
    table = small.table("text", tmp_path / "t")
    recipe = ARCHITECTURES["transformer"].recipe
    assert recipe.clip_norm is not None and recipe.schedule != "constant"
    usual = resolve(_spec("transformer"), table.schema, table.rows).spec.hyperparameters
    assert usual.schedule is not None
    assert (usual.clip_norm, usual.schedule.kind) == (recipe.clip_norm, recipe.schedule)
    said = _spec("transformer", hyperparameters={"clip_norm": off, "schedule": None})
    once = resolve(said, table.schema, table.rows)
    chosen = once.spec.hyperparameters
    assert chosen.clip_norm is None
    assert chosen.schedule == SCHEDULES["constant"].model_validate({})
    # Over the wire and back it means the same.
    wire = WireSpec.model_validate(once.spec.model_dump(mode="json")).model_dump(mode="json")
    assert wire["hyperparameters"]["clip_norm"] is None
    assert _settled(resolve(JobSpec.model_validate(wire), table.schema, table.rows)) == _settled(once)


def test_null_is_the_default_of_what_a_training_needs(tmp_path: Path) -> None:
    table = small.table("text", tmp_path / "t")
    needed = dict.fromkeys(("epochs", "steps", "batch_size", "optimizer", "loss"))
    said = _spec("transformer", hyperparameters=needed, checkpoints={"every_epochs": None, "every_steps": None})
    silent = resolve(_spec("transformer"), table.schema, table.rows)
    assert resolve(said, table.schema, table.rows) == silent


@pytest.mark.parametrize("kind", ["vector", "image", "text"])
def test_resolving_twice_is_resolving_once(kind: InputKind, tmp_path: Path) -> None:
    table = small.table(kind, tmp_path / "t")
    architecture = next(part for part in ARCHITECTURES if kind in part.accepts).model_fields["kind"].default
    once = resolve(_spec(architecture), table.schema, table.rows)
    # Over the wire and back.
    wire = WireSpec.model_validate(once.spec.model_dump(mode="json")).model_dump(mode="json")
    assert _settled(resolve(JobSpec.model_validate(wire), table.schema, table.rows)) == _settled(once)


@pytest.mark.parametrize(
    ("task", "loss", "suggestion"), [("classification", "mse", "cross_entropy"), ("regression", "bce", "mse")]
)
def test_a_loss_must_fit_the_task(task: str, loss: str, suggestion: str, tmp_path: Path) -> None:
    table = small.table("vector", tmp_path / "t", task=task)
    with pytest.raises(SpecError, match=f"{loss} does not fit {task}") as refused:
        resolve(_spec(hyperparameters={"loss": {"kind": loss}}), table.schema, table.rows)
    assert (refused.value.pointer, refused.value.code) == ("/hyperparameters/loss/kind", "wrong_loss")
    assert refused.value.suggestion is not None and suggestion in refused.value.suggestion


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"architecture": {"kind": "mpl"}}, ("architecture",)),
        ({"architecture": {"kind": "mlp", "hiden": [3]}}, ("architecture", "mlp", "hiden")),
        ({"hyperparameters": {"optimizer": {"kind": "sgd", "lr": 0}}}, ("hyperparameters", "optimizer", "sgd", "lr")),
        ({"hyperparameters": {"epochs": 1, "steps": 1}}, ("hyperparameters",)),
        ({"hyperparameters": {"ema": 0.9, "swa": {}}}, ("hyperparameters",)),
        ({"hyperparameters": {"swa": {"start": 1}}}, ("hyperparameters", "swa", "start")),
        ({"hyperparameters": {"swa": {"stop": 1}}}, ("hyperparameters", "swa", "stop")),
        ({"hyperparameters": {"clip_value": 0}}, ("hyperparameters", "clip_value")),
        ({"hyperparameters": {"clip_value": 1e7}}, ("hyperparameters", "clip_value")),
        ({"hyperparameters": {"l1": -1}}, ("hyperparameters", "l1")),
        ({"hyperparameters": {"l1": 1001}}, ("hyperparameters", "l1")),
        ({"hyperparameters": {"max_norm": 0}}, ("hyperparameters", "max_norm")),
        ({"hyperparameters": {"max_norm": 1e7}}, ("hyperparameters", "max_norm")),
        ({"hyperparameters": {"init": "zeros"}}, ("hyperparameters", "init")),
        ({"hyperparameters": {"decay_biases": "perhaps"}}, ("hyperparameters", "decay_biases")),
        ({"dataset": {"id": "x", "input": "a", "inputs": ["b"]}}, ("dataset",)),
        ({"dataset": {"id": "x", "split": {"kind": "holdout", "val": 0.5, "test": 0.5}}}, ("dataset", "split")),
        ({"checkpoints": {"every_steps": 1, "every_epochs": 1}}, ("checkpoints",)),
        ({"epochs": 3}, ("epochs",)),
    ],
)
def test_wrong_specs_are_refused_where_they_are_wrong(wrong: dict[str, Any], where: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        _spec(**wrong) if "architecture" not in wrong else JobSpec.model_validate({"dataset": {"id": "x"}, **wrong})
    assert refused.value.errors()[0]["loc"][: len(where)] == where


@pytest.mark.parametrize("kind", ["vector", "image", "text"])
def test_what_is_foreseen_is_what_comes_or_a_little_more(kind: InputKind, tmp_path: Path) -> None:
    table = small.table(kind, tmp_path / "t")
    architecture = next(part for part in ARCHITECTURES if kind in part.accepts).model_fields["kind"].default
    resolved, prepared = small.resolve_and_prepare(_spec(architecture), table)
    before = only(foreseen(resolved.roles_in(table.schema)))
    after = only(prepared.preparation.named_inputs())
    assert before.kind == after.kind
    assert all(least <= most for least, most in zip(after.shape, before.shape, strict=True))
    assert after.vocabulary <= before.vocabulary <= after.vocabulary + 8


def test_tags_keep_their_words_in_their_places(tmp_path: Path) -> None:
    columns = {"words": pa.array([["a", "b"], ["c"]] * 20), "tags": pa.array([["O", "B"], ["O"]] * 20)}
    table = small.ingested(tmp_path / "t", columns, target="tags")
    for kind in ("token_dropout", "swap"):
        spec = _spec("rnn", hyperparameters={"augmentations": [{"kind": kind}]})
        if kind == "token_dropout":
            resolved = resolve(spec, table.schema, table.rows)
            assert resolved.spec.hyperparameters.augmentations == (TokenDropout(),)
        else:
            with pytest.raises(SpecError, match="this is tagging from text inputs") as refused:
                resolve(spec, table.schema, table.rows)
            assert refused.value.pointer == "/hyperparameters/augmentations/0/kind"
            assert refused.value.suggestion == "use one of token_dropout"


def test_the_rate_falls_where_an_affine_map_has_many_inputs(tmp_path: Path) -> None:
    recipe = ARCHITECTURES["linear"].recipe
    forms: list[tuple[InputKind, int]] = [("vector", 5), ("image", 768)]
    for kind, inputs in forms:
        table = small.table(kind, tmp_path / kind)
        resolved = resolve(_spec("linear"), table.schema, table.rows)
        optimizer = resolved.spec.hyperparameters.optimizer
        assert optimizer is not None and optimizer.lr == recipe.lr_of(inputs)
    assert recipe.lr_of(5) == recipe.lr and recipe.lr_of(320) == pytest.approx(recipe.lr / 10)
    assert ARCHITECTURES["mlp"].recipe.lr_of(10**6) == ARCHITECTURES["mlp"].recipe.lr


def test_an_unknown_task_is_told_the_tasks_there_are(table: Table) -> None:
    spec = JobSpec.model_validate({"architecture": {"kind": "mlp"}, "dataset": {"id": "x", "task": "divination"}})
    with pytest.raises(SpecError, match="there is no task 'divination'") as refused:
        resolve(spec, table.schema, table.rows)
    assert (refused.value.pointer, refused.value.code) == ("/dataset/task", "unknown_task")
    assert refused.value.suggestion == "one of " + ", ".join(sorted(part.task for part in TARGETS))


@pytest.mark.parametrize(("series", "mode"), [("val/loss", "min"), ("val/accuracy", "max")])
def test_which_way_a_series_improves_is_resolved(series: str, mode: str, table: Table) -> None:
    said = {"hyperparameters": {"early_stopping": {"series": series}}, "checkpoints": {"series": series}}
    spec = JobSpec.model_validate({"architecture": {"kind": "mlp"}, "dataset": {"id": "x"}, **said})
    filled = resolve(spec, table.schema, table.rows).spec
    assert filled.hyperparameters.early_stopping is not None
    assert filled.checkpoints.mode == filled.hyperparameters.early_stopping.mode == mode


@pytest.mark.parametrize(
    ("architecture", "kind", "task"),
    [
        ("mlp", "vector", "classification"),
        ("mlp", "vector", "regression"),
        ("cnn", "image", "classification"),
        ("textcnn", "text", "classification"),
        ("transformer_lm", "text", "classification"),
        ("ngram", "text", "classification"),
    ],
)
def test_what_was_resolved_is_read_back_as_it_was(
    architecture: str, kind: InputKind, task: str, tmp_path: Path
) -> None:
    """Nothing is chosen again: the columns are those that the names in it are of."""
    table = small.table(kind, tmp_path / "t", task=task)
    sent = _spec(architecture)
    resolved = resolve(sent, table.schema, table.rows)
    again = ResolvedSpec.model_validate_json(resolved.model_dump_json())
    assert again == resolved
    assert again.roles_in(table.schema) == assign(sent.dataset, table.schema, sent.architecture)
    # Sent by somebody who read it off a job, it is resolved to the same.
    sent_again = JobSpec.model_validate(resolved.spec.model_dump(mode="json"))
    assert _settled(resolve(sent_again, table.schema, table.rows)) == _settled(resolved)


def test_thousands_of_named_columns_are_resolved_at_once() -> None:
    """A fork of a table names every column of it."""
    names = [f"c{at}" for at in range(5000)]
    schema = Schema(target="t", columns=[Column(name=name, kind="number") for name in [*names, "t"]])
    began = time.process_time()
    resolved = resolve(_spec("linear", dataset={"id": "x", "inputs": names}), schema, 100)
    assert resolved.roles.inputs["x"] == names
    assert time.process_time() - began < 3.0


def test_a_schedule_in_epochs_is_resolved_to_steps(tmp_path: Path) -> None:
    table = small.table("vector", tmp_path / "t")
    chosen = {"batch_size": 4, "epochs": 5, "schedule": {"kind": "step", "every_epochs": 2, "warmup_epochs": 1}}
    said = {"architecture": {"kind": "linear"}, "dataset": {"id": "x"}, "hyperparameters": chosen}
    resolved = resolve(JobSpec.model_validate(said), table.schema, table.rows)
    schedule = resolved.spec.hyperparameters.schedule
    assert schedule is not None and schedule.warmup_steps == resolved.steps_per_epoch > 1
    assert schedule.model_dump()["every_steps"] == 2 * resolved.steps_per_epoch
    again = resolve(resolved.spec, table.schema, table.rows)
    assert again.spec.hyperparameters.schedule == schedule
