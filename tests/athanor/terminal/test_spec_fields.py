"""`athanor catalog` of the fields of a job spec."""

import json
from typing import Any

import pytest

from athanor.contract import JobSpec
from athanor.terminal import spec_fields
from models.parts.split import SPLITS
from tests.athanor.command_line import run
from tests.athanor.stub import Stub, as_json

SHELVES = ("architectures", "losses", "optimizers", "schedules", "augmentations", "datasets")
ADAM = {"kind": "adam", "summary": "Moments.", "description": "Adam.", "schema": {"properties": {}}}
OTHER = ADAM | {"summary": "A schedule of the same name."}
SGD = ADAM | {"kind": "sgd", "summary": "Steps."}
SPLIT_KINDS = [part.model_fields["kind"].default for part in SPLITS]


def _with_parts() -> dict[str, Any]:
    """The schema of a spec, with its splits and two optimizers as the service names them."""
    schema = JobSpec.model_json_schema()
    splits = {part.__name__: part.model_json_schema() for part in SPLITS}
    schema["$defs"] |= splits
    schema["$defs"]["DatasetChoice"]["properties"]["split"] = {
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in splits]
    }
    kinds = {kind: {"properties": {"kind": {"const": kind}}, "type": "object"} for kind in ("adam", "sgd")}
    schema["$defs"] |= kinds
    union = {"oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds]}
    schema["$defs"]["Hyperparameters"]["properties"]["optimizer"] = {"anyOf": [union, {"type": "null"}]}
    return schema


@pytest.fixture
def service(stub: Stub) -> Stub:
    stub.on(
        "GET",
        "/v1/catalog",
        as_json({shelf: [] for shelf in SHELVES} | {"optimizers": [ADAM, SGD], "schedules": [OTHER]}),
    )
    stub.on("GET", "/v1/schemas/job-spec", as_json(_with_parts()))
    return stub


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        ("hyperparameters", [["epochs", "integer ≥ 1, ≤ 100000 | null", "null", "passes over the training part"]]),
        ("hyperparameters", [["optimizer", "adam | sgd | null"], ["precision", "fp32 | bf16", '"fp32"']]),
        ("early_stopping", [["patience", "integer ≥ 1, ≤ 100000", "5"]]),
        ("hyperparameters.early_stopping", [["series", "string", '"val/loss"']]),
        ("checkpoints", [["keep_best", "integer ≥ 0, ≤ 1000", "1"]]),
        ("resources", [["device", "auto | cpu | cuda", '"auto"']]),
        ("metrics", [["every_steps", "integer ≥ 1, ≤ 1000000", "1"]]),
        (
            "dataset",
            [
                ["id", "string (1 to 200)", "required"],
                ["split", " | ".join(SPLIT_KINDS)],
            ],
        ),
        ("split", [["dataset.split: folds"], ["n", "integer ≥ 2, ≤ 100", "5"], ["dataset.split: holdout"]]),
        ("optimizer", [["hyperparameters.optimizer"], ["adam", "Moments."], ["sgd", "Steps."]]),
        ("freeze", [["freeze", "list (0 to 100) of string (1 to 200)", "[]"]]),
        ("ema", [["ema", "number > 0, < 1 | null", "null", "decay of an exponential moving average"]]),
    ],
)
def test_a_group_of_fields_is_shown(service: Stub, said: str, rows: list[list[str]]) -> None:
    result = run(service, "catalog", said)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    for first, *rest in rows:
        line = next(line for line in lines if line.strip().startswith(first))
        assert all(word in line for word in rest), line


def test_what_is_no_part_and_no_field_is_said(service: Stub) -> None:
    result = run(service, "catalog", "hyperparameter")
    assert result.exit_code == 5
    assert "no part, no shelf and no field of a job spec is called 'hyperparameter'" in result.stderr
    assert "split, hyperparameters" in result.stderr


def test_the_parts_of_a_shelf_are_listed(service: Stub) -> None:
    shelves = json.loads(run(service, "catalog", "--json").stdout)
    # A field of a spec may have the name of a shelf; it lists the parts too.
    for name, parts in shelves.items():
        shown = run(service, "catalog", name)
        assert shown.exit_code == 0, shown.output
        assert all(part["kind"] in shown.stdout for part in parts), name


def test_the_list_of_parts_names_the_groups(service: Stub) -> None:
    assert "checkpoints, metrics, resources" in run(service, "catalog").stderr


def test_a_program_reads_the_schema_with_all_that_it_refers_to(service: Stub) -> None:
    said = json.loads(run(service, "catalog", "hyperparameters", "--json").stdout)
    assert said["field"] == "hyperparameters"
    assert set(said["$defs"]) == {"Hyperparameters", "EarlyStopping", "WeightAveraging", "Part", "adam", "sgd"}


def test_a_field_without_a_default_is_not_called_required(service: Stub) -> None:
    lines = run(service, "catalog", "hyperparameters").stdout.splitlines()
    assert "required" not in next(line for line in lines if line.strip().startswith("freeze"))


def test_a_field_is_found_by_its_name_outside_of_parts() -> None:
    schema = JobSpec.model_json_schema()
    assert {field.path for field in spec_fields.find(schema, "seed")} == {"hyperparameters.seed"}
    assert spec_fields.find(schema, "no_such_field") == []


def test_a_schema_that_holds_itself_has_an_end() -> None:
    layers = {"properties": {"kind": {"const": "r"}, "inner": {"type": "array", "items": {"$ref": "#/$defs/R"}}}}
    schema = {"$defs": {"R": layers}, "properties": {"architecture": {"$ref": "#/$defs/R"}}}
    (field,) = spec_fields.find(schema, "architecture")
    assert set(field.to_json()["$defs"]) == {"R"}
