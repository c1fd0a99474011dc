"""Shares of the rows, drawn once."""

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.parts.split import Division
from models.parts.splits.holdout import Holdout

shares = st.floats(0, 0.95).map(lambda share: round(share, 2))
labels = st.lists(st.sampled_from(["a", "b", "c"]), max_size=60)


def divided(split: Holdout, targets: Sequence[str]) -> Division:
    return split.divide(np.arange(len(targets)), np.array(targets, dtype=str), None)


def digest(division: Division) -> str:
    rows = [sorted(part.tolist()) for part in (division.train, division.val, division.test)]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


@settings(deadline=None)
@given(targets=labels, val=shares, test=shares, stratify=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_it_is_disjoint_complete_and_of_the_foreseen_size(
    targets: list[str], val: float, test: float, stratify: bool, seed: int
) -> None:
    assume(val + test < 1)
    split = Holdout(val=val, test=test, stratify=stratify, seed=seed)
    foreseen, division = split.sizes(len(targets), {}), divided(split, targets)
    assert min(foreseen.train, foreseen.val, foreseen.test) >= 0
    rows = [*division.train.tolist(), *division.val.tolist(), *division.test.tolist()]
    assert sorted(rows) == list(range(len(targets)))
    assert (len(division.train), len(division.val), len(division.test)) == (foreseen.train, foreseen.val, foreseen.test)
    assert digest(divided(split, targets)) == digest(division)


def _counts(targets: Sequence[str], rows: list[int]) -> dict[str, int]:
    return {label: sum(targets[row] == label for row in rows) for label in ("a", "b", "c")}


@settings(deadline=None)
@given(targets=labels, val=shares, test=shares)
def test_strata_are_even_to_within_a_row(targets: list[str], val: float, test: float) -> None:
    assume(val + test < 0.95)
    division = divided(Holdout(val=val, test=test), targets)
    whole = list(range(len(targets)))
    rest = sorted(set(whole) - set(division.test.tolist()))
    # The test part is drawn first, the validation part from what it leaves.
    for drawn, pool in ((division.test.tolist(), whole), (division.val.tolist(), rest)):
        whole_counts = _counts(targets, whole)
        # Where a class is small, or a part large, the rows that stay in the training part make it uneven.
        if any(0 < count < 3 for count in whole_counts.values()) or max(val, test) > 0.3:
            continue
        for label, count in _counts(targets, pool).items():
            assert abs(_counts(targets, drawn)[label] - count * len(drawn) / max(1, len(pool))) < 1


@settings(deadline=None)
@given(
    small=st.lists(st.integers(1, 4), max_size=12),
    large=st.lists(st.integers(20, 60), min_size=2, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_class_is_in_the_training_part(small: list[int], large: list[int], seed: int) -> None:
    targets = [f"class{at}" for at, count in enumerate([*small, *large]) for _ in range(count)]
    division = divided(Holdout(seed=seed), targets)
    trained = [targets[row] for row in division.train]
    assert set(trained) == set(targets)
    for at, count in enumerate(small):
        if count < 3:
            assert trained.count(f"class{at}") == count
    assert len(division.test) == len(division.val) == round(0.1 * len(targets))


def test_parts_keep_their_sizes_where_every_class_is_small() -> None:
    division = divided(Holdout(), [f"class{at}" for at in range(50)])
    assert (len(division.train), len(division.val), len(division.test)) == (40, 5, 5)


def test_seeds_differ() -> None:
    one, other = (divided(Holdout(seed=seed), ["a", "b"] * 50) for seed in (0, 1))
    assert sorted(one.test.tolist()) != sorted(other.test.tolist())
    assert len(one.test) == len(other.test) == len(one.val) == 10


def test_without_strata_a_draw_is_uneven() -> None:
    targets = ["a"] * 90 + ["b"] * 10
    seen = {
        stratify: {
            _counts(targets, divided(Holdout(stratify=stratify, seed=seed), targets).test.tolist())["b"]
            for seed in range(20)
        }
        for stratify in (True, False)
    }
    assert seen[True] == {1} and len(seen[False]) > 1


@pytest.mark.parametrize(
    ("split", "rows"),
    [
        (Holdout(), "17ee648029a0d6e0"),
        (Holdout(seed=7), "6a32c1a467857bb4"),
        (Holdout(stratify=False), "e93e51aaa6f7aa4c"),
    ],
)
def test_rows_stay_those_of_0_1(split: Holdout, rows: str) -> None:
    assert digest(divided(split, ["a", "b", "b", "c", "a"] * 40)) == rows


def test_a_text_is_divided_where_it_stands() -> None:
    texts = ["abcde", "fghij", "kl"]
    train, val, test = Holdout(val=0.2, test=0.2).divide_text(texts, None, list)
    assert ("".join(train), "".join(val), "".join(test)) == ("abcde\nfg", "hij", "\nkl")
    sizes = Holdout(val=0.2, test=0.2).text_sizes(14, 3, {})
    assert (sizes.train, sizes.val, sizes.test) == (8, 3, 3)
    train, val, test = Holdout(val=0.2, test=0).divide_text(texts, None, list)
    assert ("".join(train), "".join(val), test) == ("abcde\nfghij", "\nkl", [])
