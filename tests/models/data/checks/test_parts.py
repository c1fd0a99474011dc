"""Columns that divide the rows, and are no inputs."""

import json
from pathlib import Path

import pytest

from models.data.checks import concerns
from models.data.table import part_of
from tests.models.data.checks.tables import beside, left_out, taken, told


def test_a_column_that_names_the_parts(tmp_path: Path) -> None:
    parts = ["train"] * 70 + ["Valid"] * 10 + ["test"] * 20
    intake = taken(tmp_path, beside(fold=parts))
    (warned,) = told(intake, "unused_split")
    assert left_out(intake) == ["fold"] and "test 20" in warned.message
    assert json.loads((warned.suggestion or "").partition("set ")[2]) == {
        "dataset": {"split": {"kind": "given", "column": "fold"}}
    }
    other = taken(tmp_path, beside(fold=["train", "bus"] * 50, stage=["test"] * 50 + ["dev"] * 50))
    assert not told(other, "unused_split") and left_out(other) == []


def test_a_column_that_numbers_folds(tmp_path: Path) -> None:
    intake = taken(tmp_path, beside(kfold=[0, 1, 2, 3, 4] * 20))
    (warned,) = told(intake, "unused_split")
    assert left_out(intake) == ["kfold"] and "5 folds (0 to 4)" in warned.message
    assert json.loads((warned.suggestion or "").partition("set ")[2]) == {
        "dataset": {"split": {"kind": "folds", "n": 5}}
    }
    assert concerns(warned, {"a"}, "label", None, "label") and not concerns(warned, {"kfold"}, "label", None, "label")
    other = taken(tmp_path, beside(scaffold=[0, 1, 2, 3] * 25, fold=[1, 2, 5, 9] * 25, times_folded=[0, 1] * 50))
    assert not told(other, "unused_split") and left_out(other) == []


@pytest.mark.parametrize(
    "values", [["训练", "测试"], ["Training", "PublicTest", "PrivateTest"], ["train", "dev", "eval"]]
)
def test_parts_by_other_names(tmp_path: Path, values: list[str]) -> None:
    intake = taken(tmp_path, beside(usage=values * 20))
    assert left_out(intake) == ["usage"] and len(told(intake, "unused_split")) == 1


@pytest.mark.parametrize(
    ("name", "values"), [("is_train", [0, 1]), ("in_test", ["True", "False"]), ("IsHoldout", ["yes", "no"])]
)
def test_a_flag_of_a_part(tmp_path: Path, name: str, values: list[object]) -> None:
    intake = taken(tmp_path, beside(**{name: values * 20}))
    assert left_out(intake) == [name] and len(told(intake, "unused_split")) == 1


@pytest.mark.parametrize("name", ["is_new", "train_station", "tested", "is_valid", "test", "above_the_fold"])
def test_other_flags_are_inputs(tmp_path: Path, name: str) -> None:
    assert not left_out(taken(tmp_path, beside(**{name: [0, 1] * 20})))


def test_a_multiple_is_no_fold(tmp_path: Path) -> None:
    assert not left_out(taken(tmp_path, beside(fold_change=[1, 2, 3, 2] * 20)))


@pytest.mark.parametrize(
    ("value", "part"), [("Training", "train"), ("eval", "val"), ("dev", "val"), ("PrivateTest", "test"), ("bus", None)]
)
def test_words_for_parts(value: str, part: str | None) -> None:
    assert part_of(value) == part


@pytest.mark.parametrize("name", ["sample_weight", "Case Weights", "survey.weight", "样本权重"])
def test_a_column_named_like_weights_of_rows(tmp_path: Path, name: str) -> None:
    intake = taken(tmp_path, beside(**{name: [0.5, 2] * 50}))
    (warned,) = told(intake, "unused_weight")
    assert left_out(intake) == [name] and "0.5 to 2" in warned.message
    assert json.loads((warned.suggestion or "").partition("set ")[2]) == {"dataset": {"weight": name}}
    assert concerns(warned, {"a"}, "label", None, "label")
    assert not concerns(warned, {"a"}, "label", None, "label", weight=name)
    assert not concerns(warned, {"a", name}, "label", None, "label")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("weight", [61.5, 80.2]),
        ("row_weight", ["light", "heavy"]),
        ("sample_weight", [-1.5, 2]),
        ("weight_sample", [1, 2]),
    ],
)
def test_other_weights_are_inputs(tmp_path: Path, name: str, values: list[object]) -> None:
    intake = taken(tmp_path, beside(**{name: values * 50}))
    assert not told(intake, "unused_weight") and left_out(intake) == []
