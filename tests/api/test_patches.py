"""Merge patches: the examples of RFC 7396, what holds for all of them, and what gives way in a spec."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.patches import merge, patched

APPENDIX_A = [
    ('{"a":"b"}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'),
    ('{"a":"b"}', '{"a":null}', "{}"),
    ('{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'),
    ('{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'),
    ('{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'),
    ('{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'),
    ('{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'),
    ('["a","b"]', '["c","d"]', '["c","d"]'),
    ('{"a":"b"}', '["c"]', '["c"]'),
    ('{"a":"foo"}', "null", "null"),
    ('{"a":"foo"}', '"bar"', '"bar"'),
    ('{"e":null}', '{"a":1}', '{"e":null,"a":1}'),
    ("[1,2]", '{"a":"b","c":null}', '{"a":"b"}'),
    ("{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'),
]


@pytest.mark.parametrize(("original", "patch", "result"), APPENDIX_A)
def test_the_examples_of_the_standard(original: str, patch: str, result: str) -> None:
    assert merge(json.loads(original), json.loads(patch)) == json.loads(result)


names = st.sampled_from(["a", "b", "c", "kind"])
leaves = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"])
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3))
objects = st.dictionaries(names, values, max_size=4)
full = st.recursive(
    st.booleans() | st.integers(0, 3), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner)
)


@given(values, values)
def test_a_patch_twice_is_a_patch_once(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))
    once = merge(target, patch)
    assert merge(once, patch) == once
    assert (target, patch) == before, "what was given is left as it was"


def _difference(old: Any, new: Any) -> Any:
    """A patch from one document without null to another."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone: dict[str, Any] = dict.fromkeys(old.keys() - new.keys())
    return gone | {name: _difference(old.get(name), value) for name, value in new.items() if old.get(name) != value}


@given(st.dictionaries(names, full), st.dictionaries(names, full))
def test_some_patch_leads_from_any_document_to_any_other(old: Any, new: Any) -> None:
    assert merge(old, _difference(old, new)) == new


@given(values, objects)
def test_members_that_a_patch_does_not_name_stay(target: Any, patch: dict[str, Any]) -> None:
    merged = merge(target, patch)
    if isinstance(target, dict):
        assert {name: value for name, value in merged.items() if name not in patch} == {
            name: value for name, value in target.items() if name not in patch
        }
    assert not any(name in merged for name, value in patch.items() if value is None)


SPEC: dict[str, Any] = {
    "architecture": {"kind": "mlp", "hidden": [4], "dropout": 0.1},
    "dataset": {
        "id": "iris",
        "task": "classification",
        "inputs": ["a", "b"],
        "input": None,
        "target": "species",
        "split": {"kind": "holdout", "val": 0.2, "test": 0.1, "stratify": True, "seed": 3},
        "tokens": None,
        "documents": None,
        "context": None,
    },
    "hyperparameters": {
        "epochs": 3,
        "steps": None,
        "batch_size": 32,
        "optimizer": {"kind": "adam", "lr": 0.1, "beta1": 0.9},
        "ema": 0.9,
        "swa": None,
        "loss": {"kind": "cross_entropy", "label_smoothing": 0.0, "class_weights": None},
    },
    "checkpoints": {"every_epochs": 1, "every_steps": None, "keep_last": 2, "series": "val/loss"},
    "schedule": {"kind": "constant", "warmup_steps": 10, "warmup_epochs": None},
    "tags": {"kind": "first", "team": "nlp"},
}


def _optimizer(**fields: Any) -> dict[str, Any]:
    return {"hyperparameters": {"optimizer": fields}}


def _at(spec: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        spec = spec[name]
    return spec


@pytest.mark.parametrize(
    ("patch", "path", "expected"),
    [
        (_optimizer(lr=1), "hyperparameters.optimizer", {"kind": "adam", "lr": 1, "beta1": 0.9}),
        (_optimizer(kind="adam", lr=1), "hyperparameters.optimizer", {"kind": "adam", "lr": 1, "beta1": 0.9}),
        (_optimizer(kind="sgd", lr=1), "hyperparameters.optimizer", {"kind": "sgd", "lr": 1}),
        ({"architecture": {"kind": "linear"}}, "architecture", {"kind": "linear"}),
        ({"dataset": {"split": {"kind": "given", "column": "p"}}}, "dataset.split", {"kind": "given", "column": "p"}),
        ({"dataset": {"split": {"val": 0.5}}}, "dataset.split.seed", 3),
        ({"tags": {"kind": "second"}}, "tags", {"kind": "second", "team": "nlp"}),
        ({"checkpoints": {"every_steps": 5}}, "checkpoints", {"every_steps": 5, "keep_last": 2, "series": "val/loss"}),
    ],
)
def test_another_kind_takes_the_place_of_a_part(patch: dict[str, Any], path: str, expected: Any) -> None:
    assert _at(patched(SPEC, SPEC, patch), path) == expected


@pytest.mark.parametrize(
    ("section", "given", "gone"),
    [
        ("hyperparameters", {"steps": 7}, "epochs"),
        ("hyperparameters", {"swa": {"start": 0.5}}, "ema"),
        ("checkpoints", {"every_steps": 7}, "every_epochs"),
        ("schedule", {"warmup_epochs": 0.5}, "warmup_steps"),
        ("dataset", {"input": "a"}, "inputs"),
    ],
)
def test_a_field_takes_the_place_of_its_rival(section: str, given: dict[str, Any], gone: str) -> None:
    there = patched(SPEC, SPEC, {section: given})[section]
    assert gone not in there and given.items() <= there.items()
    # And back again.
    assert patched(patched(SPEC, SPEC, {section: given}), SPEC, {section: {gone: SPEC[section][gone]}})[
        section
    ] | given == (SPEC[section] | given)
    assert patched(SPEC, SPEC, {section: dict.fromkeys(given)})[section][gone] == SPEC[section][gone]


@pytest.mark.parametrize(
    "patch",
    [
        {"kind": "x"},
        {"dataset": 3},
        {"hyperparameters": []},
        {"dataset": None},
        {"architecture": "mlp"},
        {"x": {"kind": 1}},
        {},
    ],
)
def test_a_patch_that_makes_no_sense_is_merged_all_the_same(patch: dict[str, Any]) -> None:
    """The validation that follows says what is wrong with it."""
    assert patched(SPEC, SPEC, patch) == merge(SPEC, patch)


def test_another_series_improves_in_its_own_way() -> None:
    said = {"series": "val/loss", "mode": "min", "keep_last": 2}
    spec = merge(
        SPEC, {"checkpoints": said, "hyperparameters": {"early_stopping": {"series": "val/loss", "mode": "min"}}}
    )
    way = {"series": "val/accuracy"}
    other = patched(spec, spec, {"checkpoints": way, "hyperparameters": {"early_stopping": way}})
    assert "mode" not in other["checkpoints"] and "mode" not in other["hyperparameters"]["early_stopping"]
    assert patched(spec, spec, {"checkpoints": {"keep_last": 3}})["checkpoints"]["mode"] == "min"


def test_null_removes_what_was_said_and_zero_stays() -> None:
    """So a patch goes back to the default by null, and turns off by 0."""
    for said in (1.0, None):
        clipped = merge(SPEC, {"hyperparameters": {}})
        clipped["hyperparameters"]["clip_norm"] = said
        assert "clip_norm" not in patched(clipped, clipped, {"hyperparameters": {"clip_norm": None}})["hyperparameters"]
        assert patched(clipped, clipped, {"hyperparameters": {"clip_norm": 0}})["hyperparameters"]["clip_norm"] == 0
        assert patched(clipped, clipped, {"hyperparameters": {"epochs": 2}})["hyperparameters"]["clip_norm"] == said


SUBMITTED: dict[str, Any] = {"architecture": {"kind": "mlp"}, "dataset": {"id": "iris"}}


def test_a_patch_is_of_what_was_said() -> None:
    """What nobody said follows anew from the spec that the patch makes."""
    other = {"dataset": {"id": "wine"}}
    assert patched(SUBMITTED, SPEC, other) == {**SUBMITTED, **other}
    longer = {"hyperparameters": {"epochs": 9}}
    assert patched(SUBMITTED, SPEC, longer) == {**SUBMITTED, **longer}
    assert patched(SUBMITTED, SPEC, {}) == SUBMITTED


def test_one_field_of_a_part_that_nobody_named() -> None:
    slower = patched(SUBMITTED, SPEC, _optimizer(lr=0.01))
    assert slower["hyperparameters"] == {"optimizer": {"kind": "adam", "lr": 0.01, "beta1": 0.9}}
    assert patched(SUBMITTED, SPEC, {"dataset": {"split": {"val": 0.5}}})["dataset"] == {
        "id": "iris",
        "split": {**SPEC["dataset"]["split"], "val": 0.5},
    }
    other = patched(SUBMITTED, SPEC, _optimizer(kind="sgd", lr=0.01))
    assert other["hyperparameters"] == {"optimizer": {"kind": "sgd", "lr": 0.01}}
