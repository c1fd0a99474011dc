"""What is said about the rows of a job, whose parts are known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from athanor.contract import Column, Schema, Warned
from models.data.checks import inspect_job
from models.data.table import Table

RNG = np.random.default_rng(3)
PARTS = {"train": np.arange(0, 80), "val": np.arange(80, 90), "test": np.arange(90, 100)}


def seen(columns: dict[str, tuple[str, Sequence[Any]]], **told: bool) -> list[Warned]:
    """The last column is the target."""
    described = [
        Column(
            name=name,
            kind=kind,
            classes=sorted(set(values)) if kind == "category" else None,
            counts=[list(values).count(each) for each in sorted(set(values))] if kind == "category" else None,
        )
        for name, (kind, values) in columns.items()
    ]
    table = Table(
        Schema(columns=described), pa.table({name: pa.array(values) for name, (_, values) in columns.items()})
    )
    facts = {"has_classes": described[-1].kind == "category", "drawn": True, "known": True, **told}
    return inspect_job(table, described[:-1], described[-1], PARTS, **facts)


LABELS = [*"ab"] * 50
NOISE = RNG.standard_normal(100).tolist()


def test_a_job_without_traps_has_no_warnings() -> None:
    assert seen({"x": ("number", NOISE), "y": ("category", LABELS)}, known=False) == []


@pytest.mark.parametrize(("again", "drawn", "warned"), [(2, True, []), (2, False, [2]), (5, True, [5])])
def test_rows_in_two_parts(again: int, drawn: bool, warned: list[int]) -> None:
    x = [*NOISE[:90], *NOISE[:again], *NOISE[90 + again :]]
    found = seen({"x": ("number", x), "z": ("number", [-value for value in x]), "y": ("category", LABELS)}, drawn=drawn)
    assert [each.code for each in found] == ["rows_in_two_parts"] * len(warned)
    for each in found:
        assert f"{again} of the 10 rows of test" in each.message and each.rows == list(range(91, 91 + again))


def test_texts_are_compared_without_case_and_white_space() -> None:
    texts = [f"text number {at}" for at in range(100)]
    texts[80:84] = [f"  TEXT  number {at} " for at in range(4)]
    (warned,) = seen({"x": ("text", texts), "y": ("category", LABELS)})
    assert "4 of the 10 rows of val" in warned.message


def test_classes_that_no_training_row_has() -> None:
    labels = [*LABELS[:88], "c", "d", *LABELS[90:99], "c"]
    val, test = seen({"x": ("number", NOISE), "y": ("category", labels)})
    assert (val.code, val.column, val.rows, test.rows) == ("untrained_classes", "y", [89, 90], [100])
    assert "2 of the 10 rows of val are of 2 classes of 'y'" in val.message and "'c', 'd'" in val.message


def test_another_target_than_the_suggested_one_is_looked_at() -> None:
    columns = {
        "copy": ("category", [{"a": "one", "b": "two"}[label] for label in LABELS]),
        "x": ("number", NOISE),
        "y": ("category", [label if at % 3 else label.upper() for at, label in enumerate(LABELS)]),
    }
    assert [(each.code, each.column) for each in seen(columns, known=False)] == [
        ("determines_target", "copy"),
        ("near_equal_classes", "y"),
        ("near_equal_classes", "y"),
    ]
    assert seen(columns, known=True) == []


def test_equal_inputs_of_different_classes() -> None:
    # The inputs of the job decide: z would tell the rows apart.
    x = [*NOISE[:50], NOISE[3], *NOISE[51:]]
    labels = [*LABELS[:3], "a", *LABELS[4:50], "b", *LABELS[51:]]
    columns: dict[str, tuple[str, Sequence[Any]]] = {"x": ("number", x), "y": ("category", labels)}
    (warned,) = seen(columns, drawn=True)
    assert (warned.code, warned.column, warned.rows) == ("contradicting_labels", "y", [4, 51])
    assert seen({"z": ("number", NOISE), **columns}) == []
    assert seen({"x": ("number", x), "y": ("number", [float(at) for at in range(100)])}) == []
