"""The dry build: what a job needs, or why it cannot work."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from athanor.contract import JobSpec as WireSpec
from athanor.contract import Plan
from models.data.preparation.split import steps_per_epoch
from models.data.table import Table
from models.errors import SpecError
from models.parts.architecture import ARCHITECTURES, MANY_EPOCHS, InputKind, Inputs, Recipe
from models.parts.inputs import ONLY
from models.planning.method import MetaNetwork
from models.planning.methods.gradient_descent import activations
from models.planning.resolve import resolve
from models.planning.spec import JobSpec
from models.settings import Limits
from tests import small


def _spec(architecture: dict[str, Any], **rest: Any) -> JobSpec:
    return JobSpec.model_validate({"architecture": architecture, "dataset": {"id": "x"}, **rest})


def _settled(plan: Plan) -> Plan:
    """Without what is said about the columns: what was said is no guess any more."""
    return plan.model_copy(update={"columns": []})


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return small.table("vector", tmp_path / "t")


@pytest.fixture
def pictures(tmp_path: Path) -> Table:
    return small.table("image", tmp_path / "p")


@pytest.mark.parametrize("kind", ["vector", "image"])
def test_the_count_is_that_of_the_built_network(kind: InputKind, tmp_path: Path) -> None:
    table = small.table(kind, tmp_path / "t")
    for part in ARCHITECTURES:
        # Of a text a plan knows only the most words that there may be, so a network with several inputs is left out.
        if kind in part.accepts and not small.kinds_of(part):
            spec = _spec({"kind": part.model_fields["kind"].default})
            resolved, prepared = small.resolve_and_prepare(spec, table)
            outputs = resolved.roles_in(table.schema).outputs
            built = resolved.spec.architecture.build_for(prepared.preparation.encoder.named_inputs(), outputs)
            plan = small.planned(spec, table.schema, table.rows, Limits())
            assert plan.parameters == sum(parameter.numel() for parameter in built.parameters())
            assert (plan.train_rows, plan.val_rows, plan.test_rows) == (
                len(prepared.train),
                len(prepared.val),
                len(prepared.test),
            )


def test_few_rows_are_learned_for_as_many_steps_as_the_recipe_wants(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 32 rows to train on are 4 batches of 8.
    monkeypatch.setattr(ARCHITECTURES["mlp"], "recipe", Recipe("adam", lr=0.1, epochs=3, batch_size=8, least_steps=22))
    for said, epochs, steps in [
        ({}, 6, 24),
        ({"batch_size": 1}, 3, 96),
        ({"batch_size": 32}, 22, 22),
        ({"epochs": 2}, 2, 8),
        ({"steps": 5}, None, 5),
    ]:
        plan = small.planned(_spec({"kind": "mlp"}, hyperparameters=said), table.schema, table.rows, Limits())
        again = JobSpec.model_validate(plan.spec)
        assert (again.hyperparameters.epochs, plan.steps) == (epochs, steps)
        assert _settled(small.planned(again, table.schema, table.rows, Limits())) == _settled(plan)
    endless = Recipe("adam", lr=0.1, epochs=3, batch_size=32, least_steps=10**6)
    assert endless.epochs_of(1) == MANY_EPOCHS


def test_steps(table: Table) -> None:
    # 32 rows to train on; a last batch of one is left out.
    for said, steps, per_epoch in [
        ({"epochs": 3, "batch_size": 5}, 21, 7),
        ({"epochs": 2, "batch_size": 31}, 2, 1),
        ({"steps": 11, "batch_size": 8}, 11, 4),
    ]:
        plan = small.planned(_spec({"kind": "linear"}, hyperparameters=said), table.schema, table.rows, Limits())
        assert (plan.steps, plan.steps_per_epoch) == (steps, per_epoch)


@pytest.mark.parametrize("named", [True, False])
def test_rows_without_a_target_are_in_no_given_part(named: bool, tmp_path: Path) -> None:
    """Whether files were named so, or a column says it."""
    columns = {
        "x": [float(at) for at in range(60)],
        "target": [None if at < 12 or at == 55 else small.WORDS[at % 3] for at in range(60)],
        "part": ["train"] * 40 + ["test"] * 20,
    }
    table = small.ingested(tmp_path / "t", columns, part="part" if named else None)
    split = {} if named else {"split": {"kind": "given", "column": "part"}}
    spec = _spec({"kind": "linear"}, dataset={"id": "x", **split}, hyperparameters={"epochs": 2, "batch_size": 4})
    plan = small.planned(spec, table.schema, table.rows, Limits())
    _, prepared = small.resolve_and_prepare(spec, table)
    assert (len(prepared.train) + len(prepared.val), len(prepared.test)) == (28, 19)
    assert (plan.train_rows, plan.val_rows) == (len(prepared.train), len(prepared.val))
    assert (plan.test_rows, plan.steps) == (19, 2 * steps_per_epoch(len(prepared.train), 4))


def test_the_plan_carries_the_resolved_spec(table: Table) -> None:
    spec = _spec({"kind": "mlp"}, hyperparameters={"epochs": 3})
    plan = small.planned(spec, table.schema, table.rows, Limits())
    filled = resolve(spec, table.schema, table.rows).spec
    assert plan.spec == WireSpec.model_validate(filled.model_dump(mode="json")).model_dump(mode="json")
    assert JobSpec.model_validate(plan.spec) == filled


def _kept(model: torch.nn.Module, x: torch.Tensor) -> int:
    """Numbers that autograd keeps of a step in training, and the answer's."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    held: list[torch.Tensor] = []

    def hold(tensor: torch.Tensor) -> torch.Tensor:
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
        y = model.train()(x)
    stores = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held}
    return int(y.numel()) + sum(size for place, size in stores.items() if place not in own) // 4


RECURRENT: dict[str, Any] = {"kind": "rnn", "hidden": 64, "embedding": 32}
DECODER: dict[str, Any] = {"kind": "transformer_lm", "layers": 1, "heads": 2}


@pytest.mark.parametrize(
    ("said", "causal"),
    [
        *[
            (RECURRENT | {"cell": cell}, causal)
            for cell in ("elman", "jordan", "lstm", "gru")
            for causal in (True, False)
        ],
        *[(DECODER | {"width": width, "tied": tied}, True) for width in (8, 64) for tied in (True, False)],
    ],
)
def test_activations_are_about_what_autograd_keeps(said: dict[str, Any], causal: bool) -> None:
    inputs = Inputs("text", (64,), vocabulary=500, per_word=causal, causal=causal)
    architecture = ARCHITECTURES[said["kind"]].model_validate(said)
    outputs = inputs.vocabulary if causal else 5
    with torch.device("meta"):
        network = MetaNetwork(architecture.build(inputs, outputs), {ONLY: inputs}, outputs, batch=16, tokens=None)
    counted = activations(network)
    kept = _kept(architecture.build(inputs, outputs), torch.full((16, 64), 7))
    assert 0.75 * kept < counted < 1.35 * kept


@pytest.mark.parametrize("split", [{"kind": "holdout", "val": 0.4, "test": 0.1}, {"kind": "folds", "n": 3}])
def test_outputs_of_the_largest_part_that_is_evaluated_count(split: dict[str, Any], table: Table) -> None:
    """They are kept until a whole part is measured, whatever the batch size."""
    chosen: dict[str, Any] = {"dataset": {"id": "x", "split": split}, "hyperparameters": {"batch_size": 2}}
    few, many = (small.planned(_spec({"kind": "mlp"}, **chosen), table.schema, rows, Limits()) for rows in (40, 4000))
    largest = [max(plan.val_rows, plan.test_rows) for plan in (few, many)]
    more = (4000 - 40) * 4 * 4
    assert many.memory_bytes - few.memory_bytes - more == 3 * 4 * small.CLASSES * (largest[1] - largest[0])


def test_outputs_of_a_language_model_are_measured_batch_by_batch(tmp_path: Path) -> None:
    table = small.table("text", tmp_path / "t")
    sizes = []
    for val in (0.1, 0.4):
        dataset = {"id": "x", "context": 8, "split": {"kind": "holdout", "val": val, "test": 0.1}}
        plan = small.planned(_spec({"kind": "transformer_lm"}, dataset=dataset), table.schema, table.rows, Limits())
        sizes.append(plan.memory_bytes - (plan.train_rows + plan.val_rows + plan.test_rows) * 8 * 8)
    assert sizes[0] == sizes[1]


def test_memory_and_checkpoints_grow_with_what_is_kept(table: Table) -> None:
    def plan(**said: Any) -> tuple[int, int]:
        made = small.planned(_spec({"kind": "mlp"}, hyperparameters=said), table.schema, table.rows, Limits())
        return made.memory_bytes, made.checkpoint_bytes

    sgd, adam = plan(optimizer={"kind": "sgd"}), plan(optimizer={"kind": "adam"})
    average = plan(optimizer={"kind": "adam"}, ema=0.9)
    assert sgd < adam < average
    assert plan(optimizer={"kind": "adam"}, swa={"start": 0.5}) == average
    assert sgd[1] * 3 == adam[1] * 2 and adam[1] * 4 == average[1] * 3
    assert plan(batch_size=2)[0] < plan(batch_size=32)[0] == plan(batch_size=10_000)[0]


@pytest.mark.parametrize(
    ("architecture", "limits", "pointer"),
    [
        ({"kind": "mlp", "hidden": [65_536] * 8}, {}, "/architecture"),
        ({"kind": "mlp", "hidden": [100]}, {"max_parameters": 500}, "/architecture"),
        ({"kind": "mlp"}, {"max_memory_bytes": 1000}, "/hyperparameters/batch_size"),
        ({"kind": "mlp"}, {"max_steps": 3}, "/hyperparameters"),
    ],
)
def test_limits(architecture: dict[str, Any], limits: dict[str, int], pointer: str, table: Table) -> None:
    began = time.monotonic()
    with pytest.raises(SpecError) as refused:
        small.planned(_spec(architecture), table.schema, table.rows, Limits(**limits))
    assert (refused.value.pointer, refused.value.code) == (pointer, "over_limit")
    assert "the limit is" in refused.value.message
    assert time.monotonic() - began < 5, "something was truly built"


@pytest.mark.parametrize(
    ("spec", "pointer", "code"),
    [
        ({"architecture": {"kind": "cnn", "channels": [4] * 5}}, "/architecture/channels", "shape"),
        ({"architecture": {"kind": "textcnn"}}, "/architecture/kind", "wrong_inputs"),
        ({"dataset": {"id": "x", "target": "no"}}, "/dataset/target", "unknown_column"),
        ({"dataset": {"id": "x", "split": {"val": 0.5, "test": 0.49}}}, "/dataset/split", "too_few_rows"),
        (
            {"hyperparameters": {"early_stopping": {"series": "val/f1"}}},
            "/hyperparameters/early_stopping/series",
            "unknown_series",
        ),
        ({"checkpoints": {"series": "val/rmse"}}, "/checkpoints/series", "unknown_series"),
        (
            {"dataset": {"id": "x", "split": {"val": 0}}, "checkpoints": {"series": "val/accuracy"}},
            "/checkpoints/series",
            "unknown_series",
        ),
    ],
)
def test_refusals(spec: dict[str, Any], pointer: str, code: str, pictures: Table) -> None:
    whole = {"architecture": {"kind": "cnn"}, "dataset": {"id": "x"}, **spec}
    if "split" in whole["dataset"]:
        whole["dataset"] = {**whole["dataset"], "split": {"kind": "holdout", **whole["dataset"]["split"]}}
    with pytest.raises(SpecError) as refused:
        small.planned(JobSpec.model_validate(whole), pictures.schema, 40 if code != "too_few_rows" else 3, Limits())
    assert (refused.value.pointer, refused.value.code) == (pointer, code)


def test_a_bound_needs_something_to_bound(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = _spec({"kind": "mlp"}, hyperparameters={"max_norm": 3.0})
    assert small.planned(spec, table.schema, table.rows, Limits()).parameters > 0
    monkeypatch.setattr("models.planning.rehearsal.output_layers", lambda model: [])
    with pytest.raises(SpecError) as refused:
        small.planned(spec, table.schema, table.rows, Limits())
    assert (refused.value.pointer, refused.value.code) == ("/hyperparameters/max_norm", "no_head")


def test_outputs_that_are_read_from_the_table_of_tokens_have_no_weights_to_bound(tmp_path: Path) -> None:
    text = small.ingested(tmp_path / "t", {"text": [f"line {at} {'ab' * at}" for at in range(40)]}, target=None)
    kind, bound = {"kind": "transformer_lm", "width": 8, "heads": 2}, {"hyperparameters": {"max_norm": 3.0}}
    with pytest.raises(SpecError, match="no weights of their own") as refused:
        small.planned(_spec(kind, **bound), text.schema, text.rows, Limits())
    assert refused.value.pointer == "/hyperparameters/max_norm"
    assert refused.value.suggestion == "architecture.tied = false"
    assert small.planned(_spec({**kind, "tied": False}, **bound), text.schema, text.rows, Limits()).parameters > 0


def test_a_default_series_without_a_validation_part_is_no_fault(table: Table) -> None:
    spec = _spec({"kind": "mlp"}, dataset={"id": "x", "split": {"kind": "holdout", "val": 0}})
    plan = small.planned(spec, table.schema, table.rows, Limits())
    assert plan.val_rows == 0
    # What a job says of itself names the series, and can be submitted again.
    again = small.planned(JobSpec.model_validate(plan.spec), table.schema, table.rows, Limits())
    assert _settled(again) == _settled(plan)


@pytest.mark.parametrize("series", ["val/loss", "val/rmse", "val/mae", "val/r2"])
def test_series_of_a_regression(series: str, tmp_path: Path) -> None:
    table = small.table("vector", tmp_path / "r", task="regression")
    said = {"early_stopping": {"series": series}}
    assert small.planned(_spec({"kind": "mlp"}, hyperparameters=said), table.schema, table.rows, Limits()).task == (
        "regression"
    )


def test_what_is_frozen_needs_neither_gradients_nor_a_state(table: Table) -> None:
    architecture = {"kind": "mlp", "hidden": [8]}
    free = small.planned(_spec(architecture), table.schema, table.rows, Limits())
    held = small.planned(_spec(architecture, hyperparameters={"freeze": ["fc1"]}), table.schema, table.rows, Limits())
    frozen = 4 * 8 + 8
    assert (free.trainable, held.parameters, held.trainable) == (free.parameters, free.parameters, 8 * 3 + 3)
    assert free.memory_bytes - held.memory_bytes == 5 * 4 * frozen, (
        "gradients, AdamW's two numbers, and those that wait"
    )
    assert free.checkpoint_bytes - held.checkpoint_bytes == 2 * 4 * frozen
    assert held.shapes == {
        "fc1.weight": [8, 4],
        "fc1.bias": [8],
        "fc2.weight": [3, 8],
        "fc2.bias": [3],
    }


def test_a_frozen_map_is_not_bounded(table: Table) -> None:
    spec = _spec({"kind": "mlp"}, hyperparameters={"max_norm": 3.0, "freeze": ["fc3"]})
    with pytest.raises(SpecError) as refused:
        small.planned(spec, table.schema, table.rows, Limits())
    assert (refused.value.pointer, refused.value.code) == ("/hyperparameters/max_norm", "frozen")


def test_batch_normalization_of_single_rows_is_refused(pictures: Table) -> None:
    said = {"hyperparameters": {"batch_size": 1}}
    with pytest.raises(SpecError, match="two or more rows in a batch") as refused:
        small.planned(_spec({"kind": "cnn"}, **said), pictures.schema, pictures.rows, Limits())
    assert refused.value.pointer == "/hyperparameters/batch_size"
    bare = _spec({"kind": "cnn", "normalization": "none"}, **said)
    assert small.planned(bare, pictures.schema, pictures.rows, Limits())
    assert small.planned(_spec({"kind": "cnn", "hidden": []}, **said), pictures.schema, pictures.rows, Limits())


@pytest.mark.parametrize(("kind", "context"), [("linear", 1), ("transformer_lm", 8)])
def test_the_outputs_of_all_micro_batches_need_memory(kind: str, context: int, tmp_path: Path) -> None:
    table = small.table("text" if kind == "transformer_lm" else "vector", tmp_path / "t")
    dataset = {"id": "x", "context": 8} if kind == "transformer_lm" else {"id": "x"}
    sizes = []
    for batch in (2, 4):
        chosen = {"batch_size": batch, "accumulate": batch}
        spec = _spec({"kind": kind}, dataset=dataset, hyperparameters=chosen)
        plan = small.planned(spec, table.schema, table.rows, Limits())
        sizes.append(plan.memory_bytes)
    outputs = plan.shapes["tok_emb.weight"][0] if kind == "transformer_lm" else small.CLASSES
    assert sizes[1] - sizes[0] == 2 * 4 * 2 * context * outputs


def test_micro_batches_save_memory_and_are_refused_where_they_change_the_result(tmp_path: Path) -> None:
    table = small.table("image", tmp_path / "t")

    def plan(accumulate: int, normalization: str = "none", kind: str = "cnn") -> Plan:
        architecture = {"kind": kind} | ({"normalization": normalization} if kind == "cnn" else {})
        chosen = {"batch_size": 16, "accumulate": accumulate}
        said = {"architecture": architecture, "dataset": {"id": "x"}, "hyperparameters": chosen}
        return small.planned(JobSpec.model_validate(said), table.schema, table.rows, Limits())

    assert plan(8).memory_bytes < plan(1).memory_bytes and plan(8).steps == plan(1).steps
    for accumulate, normalization, kind, code, suggestion in (
        (2, "batch", "cnn", "normalized", "1, or architecture.normalization = none"),
        (2, "batch", "resnet", "normalized", "1"),
        (17, "none", "cnn", "too_few_rows", "at most 16"),
    ):
        with pytest.raises(SpecError) as refused:
            plan(accumulate, normalization, kind)
        assert (refused.value.pointer, refused.value.code) == ("/hyperparameters/accumulate", code)
        assert refused.value.suggestion == suggestion
