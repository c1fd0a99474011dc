"""How rows are divided."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from athanor.contract import Column, Folds, Given, Holdout, Schema, Split
from models.data.preparation.roles import Roles
from models.data.preparation.split import Division, divide, rounds, sizes, steps_per_epoch
from models.data.table import Table
from models.errors import DataError
from tests import small

shares = st.floats(0, 0.95).map(lambda share: round(share, 2))
labels = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=60)


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
        task, frozenset({"vector"}), [], target, "part" if parts else None
    )


def _rows(division: Division) -> list[int]:
    return [*division.train.tolist(), *division.val.tolist(), *division.test.tolist()]


@settings(deadline=None)
@given(targets=labels, val=shares, test=shares, stratify=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_a_holdout_is_disjoint_complete_and_of_the_foreseen_size(
    targets: list[str | None], val: float, test: float, stratify: bool, seed: int
) -> None:
    assume(val + test < 1)
    table, roles = _problem(targets)
    split = Holdout(val=val, test=test, stratify=stratify, seed=seed)
    foreseen = sizes(split, table.rows, roles, {})
    known = [row for row, target in enumerate(targets) if target is not None]
    assert min(foreseen.train, foreseen.val, foreseen.test) >= 0
    if not foreseen.train:
        with pytest.raises(DataError, match="no rows are left to train on"):
            divide(split, table, roles)
        return
    division = divide(split, table, roles)
    assert sorted(_rows(division)) == known
    assert (len(division.train), len(division.val), len(division.test)) == (
        foreseen.train,
        foreseen.val,
        foreseen.test,
    )
    again = divide(split, table, roles)
    assert _rows(division) == _rows(again)
    for part in (division.train, division.val, division.test):
        assert (np.diff(part) > 0).all()


def _counts(targets: Sequence[str | None], rows: list[int]) -> dict[str, int]:
    return {label: sum(targets[row] == label for row in rows) for label in ("a", "b", "c")}


@settings(deadline=None)
@given(targets=labels, val=shares, test=shares)
def test_strata_are_even_to_within_a_row(targets: list[str | None], val: float, test: float) -> None:
    assume(val + test < 0.95)
    table, roles = _problem(targets)
    split = Holdout(val=val, test=test)
    assume(sizes(split, table.rows, roles, {}).train > 0)
    division = divide(split, table, roles)
    known = [row for row, target in enumerate(targets) if target is not None]
    rest = sorted(set(known) - set(division.test.tolist()))
    # The test part is drawn first, the validation part from what it leaves.
    for drawn, pool in ((division.test.tolist(), known), (division.val.tolist(), rest)):
        for label, count in _counts(targets, pool).items():
            assert abs(_counts(targets, drawn)[label] - count * len(drawn) / max(1, len(pool))) < 1


def test_seeds_differ() -> None:
    table, roles = _problem(["a", "b"] * 50)
    one, other = (divide(Holdout(seed=seed), table, roles) for seed in (0, 1))
    assert one.test.tolist() != other.test.tolist()
    assert len(one.test) == len(other.test) == len(one.val) == 10


def test_without_strata_and_for_numbers() -> None:
    targets: Sequence[str | None] = ["a"] * 90 + ["b"] * 10
    for split, task in ((Holdout(stratify=False), "classification"), (Holdout(), "regression")):
        table, roles = _problem(targets, task="regression" if task == "regression" else "classification")
        shares = set()
        for seed in range(20):
            division = divide(split.model_copy(update={"seed": seed}), table, roles)
            shares.add(_counts(targets, division.test.tolist())["b"])
        assert len(shares) > 1, "these draws look stratified"


def test_an_empty_string_is_a_class_like_any_other() -> None:
    table, roles = _problem(["", "b"] * 10)
    assert len(_rows(divide(Holdout(), table, roles))) == 20


parts = st.sampled_from(["train", "Training", "val", "dev ", "validation", "test", "TESTING", None])


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from(["a", "b", None]), parts), min_size=1, max_size=50), seed=st.integers(0, 9)
)
def test_given_parts_are_kept_and_a_missing_val_is_carved(rows: list[tuple[str | None, str | None]], seed: int) -> None:
    """Of the rows that have a target."""
    targets = [target for target, _ in rows]
    said = [part for _, part in rows]
    assume(any(target and part in ("train", "Training") for target, part in rows))
    table, roles = _problem(targets, said)
    counts = {value: said.count(value) for value in set(said) if value is not None}
    split: Split = Given(seed=seed, val=0.2)
    foreseen = sizes(split, table.rows, roles, counts)
    division = divide(split, table, roles)
    assert len(set(_rows(division))) == len(_rows(division))
    assert (len(division.train), len(division.val), len(division.test)) == (
        foreseen.train,
        foreseen.val,
        foreseen.test,
    )

    def named(*names: str) -> list[int]:
        return [row for row, part in enumerate(said) if part in names and targets[row] is not None]

    assert division.test.tolist() == named("test", "TESTING")
    val = named("val", "dev ", "validation")
    train = named("train", "Training")
    if val:
        assert (division.val.tolist(), division.train.tolist()) == (val, train)
    else:
        assert sorted([*division.val.tolist(), *division.train.tolist()]) == train
        for label in ("a", "b"):
            exact = sum(targets[row] == label for row in train) * len(division.val) / len(train)
            assert abs(sum(targets[row] == label for row in division.val) - exact) < 1


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


@settings(deadline=None)
@given(targets=labels, n=st.integers(2, 12), val=shares, stratify=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_every_row_is_tested_in_one_fold_and_chosen_by_in_none(
    targets: list[str | None], n: int, val: float, stratify: bool, seed: int
) -> None:
    table, roles = _problem(targets)
    split = Folds(n=n, val=val, stratify=stratify, seed=seed)
    assert rounds(split) == n
    known = [row for row, target in enumerate(targets) if target is not None]
    foreseen = [sizes(split, table.rows, roles, {}, fold) for fold in range(n)]
    assume(all(each.train for each in foreseen))
    folds = [divide(split, table, roles, fold) for fold in range(n)]
    assert sorted(row for fold in folds for row in fold.test) == known
    for fold, expected in zip(folds, foreseen, strict=True):
        assert sorted(_rows(fold)) == known
        assert (len(fold.train), len(fold.val), len(fold.test)) == (expected.train, expected.val, expected.test)
    if stratify:
        # As scikit-learn's StratifiedKFold promises: a class is in no fold more than once oftener than in another.
        for label in {*targets} - {None}:
            counts = [sum(targets[row] == label for row in fold.test) for fold in folds]
            assert max(counts) - min(counts) <= 1


def test_folds_follow_from_their_seed() -> None:
    table, roles = _problem([*"ab"] * 20)
    one, same, other = (divide(Folds(n=4, seed=seed), table, roles, 1).test.tolist() for seed in (3, 3, 4))
    assert one == same != other
