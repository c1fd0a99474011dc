"""Cross-validation."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.contract import Schema
from models.errors import SpecError
from models.parts.split import Division
from models.parts.splits.folds import Folds

labels = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=60)


def divided(split: Folds, targets: Sequence[str], fold: int) -> Division:
    return split.divide(np.arange(len(targets)), np.array(targets), None, fold)


@settings(deadline=None)
@given(
    targets=labels,
    n=st.integers(2, 12),
    val=st.floats(0, 0.95),
    stratify=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_is_tested_in_one_fold_and_chosen_by_in_none(
    targets: list[str], n: int, val: float, stratify: bool, seed: int
) -> None:
    split = Folds(n=n, val=val, stratify=stratify, seed=seed)
    assert split.trainings == n
    folds = [divided(split, targets, fold) for fold in range(n)]
    every = list(range(len(targets)))
    tested = [row for row in every if not stratify or targets.count(targets[row]) > 1]
    tested = tested if len(tested) >= n else every
    assert sorted(row for fold in folds for row in fold.test) == tested
    for number, fold in enumerate(folds):
        expected = split.sizes(len(targets), {}, number)
        assert sorted([*fold.train, *fold.val, *fold.test]) == every
        if tested == every:
            found = len(fold.train), len(fold.val), len(fold.test)
            assert found == (expected.train, expected.val, expected.test)
    if stratify:
        # As scikit-learn's StratifiedKFold promises: a class is in no fold more than once oftener than in another.
        for label in set(targets):
            counts = [sum(targets[row] == label for row in fold.test) for fold in folds]
            assert max(counts) - min(counts) <= 1


@given(large=st.integers(20, 60), single=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
def test_every_class_is_in_the_training_part_of_every_fold(large: int, single: int, seed: int) -> None:
    targets = ["a"] * large + ["b"] * 5 + [f"single{at}" for at in range(single)]
    for fold in range(5):
        assert {targets[row] for row in divided(Folds(seed=seed), targets, fold).train} == set(targets)


def test_folds_follow_from_their_seed() -> None:
    one, same, other = (divided(Folds(n=4, seed=seed), [*"ab"] * 20, 1).test.tolist() for seed in (3, 3, 4))
    assert one == same != other


def test_rows_stay_those_of_0_1() -> None:
    folds = [divided(Folds(n=3, seed=5), ["a", "b", "b", "c", "a"] * 40, fold) for fold in range(3)]
    rows = [[sorted(part.tolist()) for part in (each.train, each.val, each.test)] for each in folds]
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16] == "5d1b44015c4daaf8"


def test_refusals() -> None:
    split = Folds(n=5)
    with pytest.raises(SpecError, match="4 rows are too few for 5 folds") as refused:
        split.check_sizes(4, [split.sizes(4, {}, fold) for fold in range(5)])
    assert (refused.value.pointer, refused.value.code) == ("/dataset/split/n", "too_few_rows")
    split.check_sizes(5, [split.sizes(5, {}, fold) for fold in range(5)])
    with pytest.raises(SpecError, match="one running text has no rows") as refused:
        split.check(Schema(columns=[]), running_text=True)
    assert (refused.value.pointer, refused.value.code) == ("/dataset/split/kind", "wrong_split")
    assert refused.value.suggestion == "use split.kind = given or holdout, or documents = lines"
    split.check(Schema(columns=[]), running_text=False)
