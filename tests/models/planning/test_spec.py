"""What every field of a spec and of its parts refuses, whichever field it is."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from athanor import contract
from models.parts.shelves import SHELVES
from models.planning import spec

GROUPS: list[type[BaseModel]] = [
    contract.DatasetChoice,
    contract.EarlyStopping,
    contract.WeightAveraging,
    contract.CheckpointPolicy,
    contract.MetricsPolicy,
    contract.Resources,
    contract.Generation,
    contract.Fork,
    spec.Hyperparameters,
    spec.JobSpec,
]
MODELS = GROUPS + [part for shelf in SHELVES.values() for part in shelf]
NUMBERS = {"integer": "int_type", "number": "float_type"}


def fields() -> Iterator[tuple[type[BaseModel], str, dict[str, Any]]]:
    for model in MODELS:
        for name, schema in model.model_json_schema()["properties"].items():
            yield model, name, schema


def alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return list(schema.get("anyOf", [schema]))


def faults(model: type[BaseModel], name: str, value: Any) -> set[str]:
    """The types of the errors of a field, and of those inside it."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate({name: value})
    return {fault["type"] for fault in caught.value.errors() if fault["loc"][0] == name}


@pytest.mark.parametrize("value", [True, False])
def test_no_number_is_true_or_false(value: bool) -> None:
    tried = 0
    for model, name, schema in fields():
        for each in alternatives(schema):
            if code := NUMBERS.get(each.get("type", "")):
                tried += 1
                assert code in faults(model, name, value), (model, name)
            if code := NUMBERS.get(each.get("items", {}).get("type", "")):
                tried += 1
                assert code in faults(model, name, [value]), (model, name)
    assert tried > 100


def test_null_is_refused_where_the_default_has_no_null() -> None:
    tried = 0
    for model, name, schema in fields():
        may_be_null = any(each.get("type") == "null" for each in alternatives(schema))
        if name != "kind" and "default" in schema and not may_be_null:
            tried += 1
            assert faults(model, name, None) == {"null"}, (model, name)
    assert tried > 100


def test_numbers_as_strings_are_read() -> None:
    read = spec.Hyperparameters.model_validate({"epochs": "3", "l1": "0.5"})
    assert (read.epochs, read.l1) == (3, 0.5)
