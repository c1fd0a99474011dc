"""Which column plays which part, and what is said when none can."""

from typing import Any

import pytest

from athanor.contract import Column, Schema
from models.data.preparation.choice import DatasetChoice
from models.data.preparation.roles import assign
from models.data.table import part_of
from models.errors import SpecError
from models.parts.architecture import Architecture
from models.parts.architectures.cnn import CNN
from models.parts.architectures.linear import Linear
from models.parts.architectures.mlp import MLP
from models.parts.architectures.textcnn import TextCNN
from models.parts.architectures.transformer_lm import TransformerLM
from models.parts.features.category import Category
from models.parts.target import wrong_column
from models.parts.targets.next_token import NextToken

MIXED = Schema(
    target="label",
    columns=[
        Column(name="height", kind="number"),
        Column(name="color", kind="category", classes=["blue", "red"]),
        Column(name="stars", kind="number", integer=True, classes=["1", "2", "3"]),
        Column(name="year", kind="number", integer=True, classes=[str(year) for year in range(40)]),
        Column(name="review", kind="text"),
        Column(name="words", kind="tokens"),
        Column(name="photo", kind="image", shape=[8, 8, 3]),
        Column(name="spectrum", kind="array", shape=[12]),
        Column(name="plane", kind="array", shape=[6, 6]),
        Column(name="fold", kind="category", classes=["test", "train"]),
        Column(name="once", kind="category", classes=["x"]),
        Column(name="label", kind="category", classes=["bad", "good"]),
    ],
)


def _choice(**said: Any) -> DatasetChoice:
    return DatasetChoice.model_validate({"id": "ds", **said})


@pytest.mark.parametrize(
    ("architecture", "said", "tensor", "inputs"),
    [
        (Linear(), {"inputs": ["height", "color"]}, ("vector", True), ["height", "color"]),
        (Linear(), {"input": "photo"}, ("image", False), ["photo"]),
        (Linear(), {"input": "spectrum"}, ("vector", False), ["spectrum"]),
        (MLP(), {"input": "height"}, ("vector", True), ["height"]),
        (CNN(), {"input": "plane"}, ("image", False), ["plane"]),
        (Linear(), {"input": "plane"}, ("image", False), ["plane"]),
        (TextCNN(), {"input": "words"}, ("text", False), ["words"]),
        (TextCNN(), {"inputs": ["review"]}, ("text", False), ["review"]),
    ],
)
def test_inputs(architecture: Architecture, said: dict[str, Any], tensor: tuple[str, bool], inputs: list[str]) -> None:
    roles = assign(_choice(**said), MIXED, architecture)
    assert ((roles.only.expected().kind, roles.by_name), [column.name for column in roles.inputs]) == (tensor, inputs)
    assert (roles.task, roles.target.name, roles.outputs, roles.part) == ("classification", "label", 2, None)


def test_all_but_the_target_and_the_split_are_inputs_by_default() -> None:
    schema = Schema(target="label", columns=[MIXED.columns[at] for at in (0, 1, 9, 11)])
    roles = assign(_choice(split={"kind": "given", "column": "fold"}), schema, MLP())
    assert [column.name for column in roles.inputs] == ["height", "color"]
    assert roles.part == "fold"
    named_by_files = schema.model_copy(update={"part": "fold"})
    for split in ({"kind": "given"}, {"kind": "holdout"}, {"kind": "folds"}):
        roles = assign(_choice(split=split), named_by_files, MLP())
        assert [column.name for column in roles.inputs] == ["height", "color"]


def test_a_column_that_the_files_made_is_no_input_beside_another_that_divides() -> None:
    schema = Schema(target="label", part="part", columns=[MIXED.columns[at] for at in (0, 9, 11)])
    schema.columns.append(Column(name="part", kind="category", classes=["test", "train"]))
    roles = assign(_choice(split={"kind": "given", "column": "fold"}), schema, MLP())
    assert ([column.name for column in roles.inputs], roles.part) == (["height"], "fold")


@pytest.mark.parametrize(
    ("target", "task", "expected", "outputs"),
    [
        ("label", None, "classification", 2),
        ("stars", None, "classification", 3),
        ("stars", "regression", "regression", 1),
        ("year", None, "regression", 1),
        ("year", "classification", "classification", 40),
        ("height", None, "regression", 1),
    ],
)
def test_tasks(target: str, task: str | None, expected: str, outputs: int) -> None:
    roles = assign(_choice(target=target, task=task, inputs=["color"]), MIXED, MLP())
    assert (roles.task, roles.outputs) == (expected, outputs)


@pytest.mark.parametrize(
    ("said", "pointer", "code", "message"),
    [
        ({"target": "labl"}, "/dataset/target", "unknown_column", "no column 'labl'"),
        ({"target": "review"}, "/dataset/target", "wrong_column", "'review' is a text column"),
        ({"target": "photo"}, "/dataset/target", "wrong_column", "image"),
        ({"target": "once"}, "/dataset/target", "wrong_target", "one value only"),
        ({"target": "height", "task": "classification"}, "/dataset/target", "wrong_target", "not whole"),
        ({"task": "regression"}, "/dataset/task", "wrong_task", "regression needs numbers"),
        ({"input": "hieght"}, "/dataset/input", "unknown_column", "hieght"),
        ({"inputs": ["height", "nope"]}, "/dataset/inputs/1", "unknown_column", "nope"),
        ({"input": "label"}, "/dataset/input", "leak", "cannot be inputs"),
        ({"inputs": ["height", "label"]}, "/dataset/inputs", "leak", "cannot be inputs"),
        ({"inputs": ["height", "photo"]}, "/dataset/inputs", "mixed", "does not mix"),
        ({"inputs": ["photo", "height"]}, "/dataset/inputs", "mixed", "'height' (number)"),
        ({"input": "review"}, "/architecture/kind", "wrong_inputs", "learns from image or vector inputs"),
        ({"split": {"kind": "given"}}, "/dataset/split/column", "missing_column", "no column with train, val and test"),
        ({"split": {"kind": "given", "column": "fodl"}}, "/dataset/split/column", "unknown_column", "fodl"),
        ({"split": {"kind": "given", "column": "color"}}, "/dataset/split/column", "wrong_part", "'blue'"),
        ({"split": {"kind": "given", "column": "height"}}, "/dataset/split/column", "wrong_part", "too many"),
    ],
)
def test_refusals_point_at_what_is_wrong(said: dict[str, Any], pointer: str, code: str, message: str) -> None:
    with pytest.raises(SpecError) as refused:
        assign(_choice(**{"inputs": ["color"], **said} if "input" not in said else said), MIXED, MLP())
    assert (refused.value.pointer, refused.value.code) == (pointer, code)
    assert message in refused.value.message


def test_suggestions() -> None:
    with pytest.raises(SpecError) as refused:
        assign(_choice(target="labl"), MIXED, MLP())
    assert refused.value.suggestion == "did you mean 'label'?"
    with pytest.raises(SpecError) as refused:
        assign(_choice(target="zzz"), MIXED, MLP())
    assert refused.value.suggestion is not None and refused.value.suggestion.startswith("its columns are height, ")
    with pytest.raises(SpecError, match="'height' \\(number\\) does not mix") as refused:
        assign(_choice(inputs=["height", "color", "photo"]), MIXED, MLP())
    assert refused.value.suggestion == "learn from 'photo' alone"


def test_no_target_and_no_rows_to_train_on() -> None:
    with pytest.raises(SpecError) as refused:
        assign(_choice(), Schema(columns=MIXED.columns), MLP())
    assert (refused.value.pointer, refused.value.code) == ("/dataset/target", "missing_target")
    untrained = Schema(target="label", columns=[*MIXED.columns[:2], MIXED.columns[11]])
    untrained.columns.append(Column(name="fold", kind="category", classes=["test", "val"]))
    with pytest.raises(SpecError, match="no row of 'fold' says train"):
        assign(_choice(split={"kind": "given", "column": "fold"}), untrained, MLP())


def test_one_of_several_images_must_be_chosen() -> None:
    two = [MIXED.columns[6], MIXED.columns[6].model_copy(update={"name": "scan"}), MIXED.columns[11]]
    with pytest.raises(SpecError, match="choose one of 'photo', 'scan'") as refused:
        assign(_choice(), Schema(columns=two, target="label"), CNN())
    assert refused.value.code == "ambiguous"
    assert assign(_choice(input="scan"), Schema(columns=two, target="label"), CNN()).inputs[0].name == "scan"


def test_a_message_names_a_few_of_thousands_of_columns() -> None:
    many = [MIXED.columns[6].model_copy(update={"name": f"p{number}"}) for number in range(5_000)]
    with pytest.raises(SpecError, match=r"'p9' and 4,990 more$"):
        assign(_choice(), Schema(columns=[*many, MIXED.columns[11]], target="label"), CNN())


def test_an_input_that_is_named_twice() -> None:
    with pytest.raises(SpecError, match="'height' is named twice") as refused:
        assign(_choice(inputs=["height", "color", "height"]), MIXED, MLP())
    assert (refused.value.pointer, refused.value.code) == ("/dataset/inputs/2", "repeated")


def test_words_for_parts() -> None:
    assert [part_of(word) for word in (" Train", "dev", "TESTING", "holdout")] == ["train", "val", "test", None]


def test_a_column_that_numbers_the_rows_is_no_input_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feature of the column says whether it does."""
    columns = [Column(name=name, kind="number", integer=True) for name in ("id", "size")]
    schema = Schema(target="label", columns=[*columns, MIXED.columns[1], MIXED.columns[-1]])

    def inputs(**said: Any) -> list[str]:
        return [column.name for column in assign(_choice(**said), schema, MLP()).inputs]

    assert inputs() == ["size", "color"]
    assert inputs(inputs=["id", "size"]) == ["id", "size"]
    monkeypatch.setattr(Category, "is_index", lambda self, column: column.name == "color")
    assert inputs() == ["size"]


def test_a_self_supervised_target_says_which_columns_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = Schema(columns=[MIXED.columns[at] for at in (0, 4, 5)])
    choice, architecture = _choice(task="language_modeling"), TransformerLM(layers=1, heads=1, width=8)
    assert assign(choice, schema, architecture).target.name == "review"

    def check(column: Column) -> None:
        if column.kind != "tokens":
            raise wrong_column(column)

    monkeypatch.setattr(NextToken, "check", check)
    assert assign(choice, schema, architecture).target.name == "words"


WEIGHED = Schema(
    target="label",
    columns=[
        *(each for each in MIXED.columns if each.name in ("height", "color", "label", "words")),
        Column(name="weight", kind="number", min=0.0, max=3.0),
        Column(name="below", kind="number", min=-1.0, max=3.0),
        Column(name="zero", kind="number", min=0.0, max=0.0),
        Column(name="gaps", kind="number", min=0.0, max=1.0, missing=2),
    ],
)


def test_weights_of_rows_are_no_input() -> None:
    roles = assign(_choice(weight="weight"), WEIGHED, MLP())
    assert roles.weight is not None and roles.weight.name == "weight"
    assert [column.name for column in roles.inputs] == ["height", "color", "below", "zero", "gaps"]
    assert "weight" in [column.name for column in roles.columns]
    assert assign(_choice(), WEIGHED, MLP()).weight is None


@pytest.mark.parametrize(
    ("said", "code", "sentence"),
    [
        ({"weight": "wieght"}, "unknown_column", "no column 'wieght'"),
        ({"weight": "label"}, "wrong_column", "'label' is the target"),
        ({"weight": "color"}, "wrong_column", "weights are numbers; 'color' is a category"),
        ({"weight": "below"}, "wrong_column", "the smallest is -1"),
        ({"weight": "zero"}, "wrong_column", "all of them are 0"),
        ({"weight": "gaps"}, "missing_weights", "2 rows have no weight in 'gaps'"),
        ({"weight": "weight", "target": "words", "input": "words"}, "wrong_task", "tagging counts each word"),
    ],
)
def test_a_column_that_cannot_weigh_rows_is_refused(said: dict[str, Any], code: str, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence) as refused:
        assign(_choice(**said), WEIGHED, MLP())
    assert (refused.value.pointer, refused.value.code) == ("/dataset/weight", code)


def test_a_column_is_input_or_weight() -> None:
    with pytest.raises(SpecError, match="weight cannot be inputs"):
        assign(_choice(weight="weight", inputs=["height", "weight"]), WEIGHED, MLP())
