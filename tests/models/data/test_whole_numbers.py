"""Whole numbers of a target: classes or quantities."""

import pytest

from athanor.contract import Column
from models.data.whole_numbers import doubt, number_classes


def column(name: str, values: list[int], rows: int = 100) -> Column:
    return Column(
        name=name,
        kind="number",
        integer=True,
        classes=[str(value) for value in values],
        counts=[rows // len(values)] * len(values),
        min=min(values),
        max=max(values),
    )


@pytest.mark.parametrize(
    ("name", "values", "are_classes", "is_guess"),
    [
        ("target", list(range(10)), True, False),
        ("y", [0, 1], True, False),
        ("sign", [-1, 1], True, False),
        ("dose", [10, 20, 30], True, True),
        ("quality", [3, 4, 5, 6, 7, 8], True, True),
        ("count", list(range(13)), True, True),
        ("label", [10, 20, 30, 40], True, False),
        ("price", list(range(1500, 3400, 100)), False, True),
        ("age", list(range(18, 38)), False, True),
        ("target", list(range(1500, 3400, 100)), False, True),
        ("rings", list(range(1, 29)), False, False),
        ("label", list(range(25)), False, False),
    ],
)
def test_few_numbers_from_zero_on_are_classes(name: str, values: list[int], are_classes: bool, is_guess: bool) -> None:
    found = column(name, values)
    assert number_classes(found) == are_classes
    assert (doubt(found) is not None) == is_guess


def test_numbers_of_one_row_each_are_quantities() -> None:
    assert not number_classes(column("rooms", list(range(12)), rows=12))


def test_many_numbers_are_classes_if_the_name_says_so() -> None:
    assert number_classes(column("label", list(range(25)), rows=250))
    assert not number_classes(column("label", [*range(24), 99], rows=250))
