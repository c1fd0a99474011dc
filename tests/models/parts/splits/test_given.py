"""Parts that the data name."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.contract import Column, Schema
from models.errors import SpecError
from models.parts.splits.given import Given

parts = st.sampled_from(["train", "Training", "val", "dev ", "validation", "test", "TESTING", None])


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["a", "b"]), parts), max_size=50), seed=st.integers(0, 9))
def test_parts_are_kept_and_a_missing_val_is_carved(rows: list[tuple[str, str | None]], seed: int) -> None:
    targets, said = [target for target, _ in rows], [part for _, part in rows]
    split = Given(seed=seed, val=0.2)
    foreseen = split.sizes(len(rows), {value: said.count(value) for value in set(said) if value is not None})
    division = split.divide(np.arange(len(rows)), np.array(targets, dtype=str), said)
    assert (len(division.train), len(division.val), len(division.test)) == (foreseen.train, foreseen.val, foreseen.test)

    def named(*names: str) -> list[int]:
        return [row for row, part in enumerate(said) if part in names]

    assert division.test.tolist() == named("test", "TESTING")
    val, train = named("val", "dev ", "validation"), named("train", "Training")
    if val:
        assert (division.val.tolist(), division.train.tolist()) == (val, train)
    else:
        assert sorted([*division.val.tolist(), *division.train.tolist()]) == train
        names = [targets[row] for row in train]
        for label in ("a", "b") if min(map(names.count, set(names)), default=0) > 1 else ():
            exact = sum(targets[row] == label for row in train) * len(division.val) / max(1, len(train))
            assert abs(sum(targets[row] == label for row in division.val) - exact) < 1


def test_a_single_row_of_a_class_is_not_carved() -> None:
    targets = np.array(["a"] * 20 + [f"single{at}" for at in range(10)] + ["a"] * 5)
    division = Given(val=0.5).divide(np.arange(35), targets, ["train"] * 30 + ["test"] * 5)
    assert set(range(20, 30)) <= set(division.train.tolist()) and len(division.val) == 15


def test_only_the_rows_that_are_asked_for() -> None:
    said = ["train", "train", "train", "test", "val"]
    division = Given().divide(np.array([0, 2, 4]), np.array([*"a?b?a"]), said)
    assert (division.train.tolist(), division.val.tolist(), division.test.tolist()) == ([0, 2], [4], [])


def test_rows_stay_those_of_0_1() -> None:
    said = ["train", "test", "training", "train", "train"] * 40
    division = Given(seed=9, val=0.25).divide(np.arange(200), np.array(["a", "b", "b", "c", "a"] * 40), said)
    rows = [sorted(part.tolist()) for part in (division.train, division.val, division.test)]
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16] == "dd1a5c0d1f096b39"


def test_the_rows_of_each_part_of_a_text_are_joined() -> None:
    texts, said = ["abc", "de", "fghi", "jk"], ["train", "test", "TRAIN", None]
    train, val, test = Given(val=0.25).divide_text(texts, said, list)
    assert ("".join(train), "".join(val), "".join(test)) == ("abc\nfg", "hi", "de")
    train, val, test = Given(val=0.25).divide_text(texts, [*said[:3], "dev"], list)
    assert ("".join(train), "".join(val), "".join(test)) == ("abc\nfghi", "jk", "de")
    carved = Given(val=0.25).text_sizes(40, 4, {"train": 2, "test": 2})
    assert (carved.train, carved.val, carved.test) == (15, 5, 20)
    said_so = Given(val=0.25).text_sizes(40, 4, {"train": 2, "test": 1, "dev": 1})
    assert (said_so.train, said_so.val, said_so.test) == (20, 10, 10)


SCHEMA = Schema(
    columns=[
        Column(name="fold", kind="category", classes=["dev", "train"]),
        Column(name="color", kind="category", classes=["blue", "train"]),
        Column(name="late", kind="category", classes=["test", "val"]),
        Column(name="height", kind="number"),
    ]
)


def test_which_column_it_reads() -> None:
    files = SCHEMA.model_copy(update={"part": "fold"})
    assert (Given().reads(SCHEMA), Given().reads(files), Given(column="late").reads(files)) == (None, "fold", "late")
    for split, schema in ((Given(), files), (Given(column="fold"), SCHEMA)):
        split.check(schema, running_text=False)
        split.check(schema, running_text=True)


@pytest.mark.parametrize(
    ("column", "code", "message"),
    [
        (None, "missing_column", "the dataset has no column with train"),
        ("fodl", "unknown_column", "the dataset has no column 'fodl'"),
        ("color", "wrong_part", "'color' holds 'blue'; its values must be train, val and test"),
        ("height", "wrong_part", "'height' holds too many different values"),
        ("late", "wrong_part", "no row of 'late' says train"),
    ],
)
def test_refusals(column: str | None, code: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as refused:
        Given(column=column).check(SCHEMA, running_text=False)
    assert (refused.value.pointer, refused.value.code) == ("/dataset/split/column", code)
    assert refused.value.suggestion or code == "wrong_part"
