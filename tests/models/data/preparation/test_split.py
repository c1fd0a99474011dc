"""How the rows of a table are divided: those with a target, in ascending order, as the plan foresees."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.contract import Column, Schema
from models.data.preparation.roles import InputColumns, Roles
from models.data.preparation.split import divide, sizes, steps_per_epoch
from models.data.table import Table
from models.errors import DataError
from models.parts.inputs import ONLY
from models.parts.split import Division, Split
from models.parts.splits.folds import Folds
from models.parts.splits.given import Given
from models.parts.splits.holdout import Holdout
from tests import small

labels = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=60)
splits = st.sampled_from([Holdout(), Holdout(stratify=False, val=0.3), Folds(n=3), Given(), Given(val=0.5, seed=3)])
words = st.sampled_from(["train", "Training", "val", "dev ", "test", "TESTING", None])


def _problem(
    targets: Sequence[str | None], parts: Sequence[str | None] | None = None, task: str = "classification"
) -> tuple[Table, Roles]:
    target = Column(name="t", kind="category", missing=targets.count(None), classes=sorted({*targets} - {None}))
    columns = {"t": pa.array(targets, pa.string())}
    if parts is not None:
        without = Counter(part for each, part in zip(targets, parts, strict=True) if each is None and part is not None)
        target.missing_by_part = {"part": dict(without)}
        columns["part"] = pa.array(parts, pa.string())
    return small.plain(columns, Schema(columns=[target])), Roles(
        task, {ONLY: InputColumns(frozenset({"vector"}), [])}, target, "part" if parts else None
    )


def _rows(division: Division) -> list[int]:
    return [*division.train.tolist(), *division.val.tolist(), *division.test.tolist()]


@settings(deadline=None)
@given(rows=st.lists(st.tuples(labels.map(lambda each: each[0]), words), min_size=1, max_size=50), split=splits)
def test_rows_with_a_target_are_divided_as_foreseen(rows: list[tuple[str | None, str | None]], split: Split) -> None:
    targets, said = [target for target, _ in rows], [part for _, part in rows]
    table, roles = _problem(targets, said)
    counts = {value: said.count(value) for value in set(said) if value is not None}
    for fold in range(split.trainings):
        foreseen = sizes(split, table.rows, roles, counts, fold)
        if not foreseen.train:
            with pytest.raises(DataError, match="no rows are left to train on"):
                divide(split, table, roles, fold)
            continue
        division = divide(split, table, roles, fold)
        assert len(set(_rows(division))) == len(_rows(division))
        assert all(targets[row] is not None for row in _rows(division))
        singles = [target for target in set(targets) if target is not None and targets.count(target) == 1]
        if split.trainings > 1 and singles:
            # The row of a class that has no other is not tested.
            assert len(division.train) + len(division.val) >= foreseen.train + foreseen.val
            continue
        for part, size in zip(
            (division.train, division.val, division.test), (foreseen.train, foreseen.val, foreseen.test), strict=True
        ):
            assert len(part) == size and (np.diff(part) > 0).all()


def test_classes_are_strata_and_numbers_are_not() -> None:
    targets: Sequence[str | None] = ["a"] * 90 + ["b"] * 10
    seen = {}
    for task in ("classification", "regression"):
        table, roles = _problem(targets, task="regression" if task == "regression" else "classification")
        drawn = [divide(Holdout(seed=seed), table, roles).test.tolist() for seed in range(20)]
        seen[task] = {sum(targets[row] == "b" for row in rows) for rows in drawn}
    assert seen["classification"] == {1} and len(seen["regression"]) > 1


def test_an_empty_string_is_a_class_like_any_other() -> None:
    table, roles = _problem(["", "b"] * 10)
    assert len(_rows(divide(Holdout(), table, roles))) == 20


def test_rows_without_a_target_are_left_out_of_given_parts() -> None:
    table, roles = _problem(["a", None, "b", None, "a"], ["train", "train", "train", "test", "val"])
    division = divide(Given(), table, roles)
    assert (division.train.tolist(), division.val.tolist(), division.test.tolist()) == ([0, 2], [4], [])


@settings(deadline=None)
@given(rows=st.integers(1, 300), batch_size=st.integers(1, 50))
def test_steps_of_an_epoch(rows: int, batch_size: int) -> None:
    batches = [min(batch_size, rows - start) for start in range(0, rows, batch_size)]
    if len(batches) > 1 and batch_size > 1 and batches[-1] == 1:
        batches.pop()
    assert steps_per_epoch(rows, batch_size) == len(batches)
