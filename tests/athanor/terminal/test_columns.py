"""How the columns of a dataset and of a job are shown."""

import io
from typing import Any, get_args

import pytest
from rich.console import Console, RenderableType

from athanor.contract import ColumnRole, Dataset, Job, Plan
from athanor.terminal import columns, display
from tests.athanor.answers import a_dataset, a_job

DAY = {"name": "day", "kind": "date", "settings": {"format": "%d.%m.%Y"}, "guess": "03.04. may be the 4th of March"}
ZIP = {"name": "zip", "kind": "category", "left_out": "every one of its 40 values is another"}
GUESS = {"name": "day", "role": "input", "kind": "date", "settings": {"format": "%d.%m.%Y"}, "guess": "it may be %m.%d"}
OUT = {"name": "note", "role": "left_out", "kind": "text", "reason": "mlp learns from the number columns"}
TARGET = {"name": "label", "role": "target", "kind": "category"}


def _text(shown: RenderableType, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(shown)
    return out.getvalue()


def _words(shown: str) -> str:
    return " ".join(shown.split())


def _row(shown: str, name: str) -> list[str]:
    return next(line.split() for line in shown.splitlines() if line.strip().startswith(name))


def _roles(*said: dict[str, Any]) -> list[ColumnRole]:
    return [ColumnRole.model_validate(each) for each in said]


@pytest.mark.parametrize("width", [80, 120])
def test_a_dataset_says_how_it_is_read(width: int) -> None:
    schema = {"columns": [DAY, ZIP], "target": None}
    warning = {"code": "odd", "message": "2 of 40 cells are no date", "column": "day", "rows": [3, 7]}
    warnings = [{**warning, "suggestion": "upload it with features"}]
    dialect = {"encoding": "utf-8", "delimiter": "\t", "header": True}
    said = a_dataset(schema=schema, warnings=warnings, dialect=dialect)
    shown = _text(display.dataset(Dataset.model_validate(said)), width)
    assert max(map(len, shown.splitlines())) <= width
    words = _words(shown)
    assert 'read with encoding = utf-8, delimiter = "\\t", header = true' in words
    assert "date, format = %d.%m.%Y" in words
    assert "day: read as date, a guess: 03.04. may be the 4th of March" in words
    assert "zip: left out of jobs: every one of its 40 values is another" in words
    assert "warning: day: 2 of 40 cells are no date (rows 3, 7) → upload it with features" in words


@pytest.mark.parametrize("width", [80, 120])
def test_a_job_and_a_plan_say_what_they_do_with_each_column(width: int) -> None:
    counts = ("parameters", "trainable", "memory_bytes", "train_rows", "val_rows", "test_rows", "steps")
    plan = {"task": "regression", "directions": {}, "steps_per_epoch": 1, "checkpoint_bytes": 1, "spec": {}}
    said = [GUESS, OUT, TARGET]
    whole = Plan.model_validate(plan | dict.fromkeys(counts, 1) | {"columns": said})
    for shown in (display.plan(whole), display.job(Job.model_validate(a_job(columns=said)))):
        text = _text(shown, width)
        assert max(map(len, text.splitlines())) <= width
        assert "a guess: it may be %m.%d" in _words(text) and _row(text, "day")[1] == "input"
        assert _row(text, "note")[1:3] == ["left", "out"] and "mlp learns from" in text
        assert _row(text, "label")[1:3] == ["target", "category"]


def test_columns_of_which_the_same_is_to_be_said_share_a_row() -> None:
    many = [{"name": f"pixel_{at}", "role": "input", "kind": "number"} for at in range(64)]
    shown = _text(columns.roles(_roles(*many, TARGET)))
    assert "pixel_0 … pixel_63 (64" in shown and "pixel_1 " not in shown
    assert _row(shown, "label")[1] == "target"


def test_a_long_table_counts_the_rest() -> None:
    many = [{"name": f"c{at}", "role": ("input", "left_out")[at % 2], "kind": "number"} for at in range(100)]
    shown = _text(columns.roles(_roles(*many)), 120)
    assert "c59" in shown and "c60" not in shown and "40 more rows" in shown


def test_a_column_of_several_inputs_names_its_own() -> None:
    shown = _text(columns.roles(_roles({"name": "a", "role": "input", "kind": "text", "input": "words"})))
    assert _row(shown, "a")[1:3] == ["input", "words"]


def test_every_role_is_shown() -> None:
    (said,) = [each.annotation for name, each in ColumnRole.model_fields.items() if name == "role"]
    for role in get_args(said):
        assert role.replace("_", " ") in _text(columns.roles(_roles({"name": "x", "role": role, "kind": "number"})))
    assert len(get_args(said)) == len(columns.ROLES)
