"""Plain numerals: what is one, read at once, is what Python reads."""

import random

import pyarrow as pa
import pytest

from models.parts import plain_numerals

PLAIN = [
    "0",
    "-0",
    "7",
    "-7",
    "10",
    "0.5",
    "-0.25",
    ".5",
    "5.",
    "1e3",
    "1E-3",
    "-1.5e+10",
    "123456789012345678",
    "1e-400",
]
OTHERS = [
    "007",
    "-01",
    "00",
    " 1",
    "1 ",
    "1,5",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1e999",
    "0x10",
    "",
    "-",
    ".",
    "1 2",
]


@pytest.mark.parametrize("numeral", PLAIN)
def test_a_plain_numeral_is_the_number_that_python_reads(numeral: str) -> None:
    found = plain_numerals.parse(pa.array(["3", numeral, None]))
    assert found is not None
    assert found.to_pylist() == [3.0, float(numeral), None]


@pytest.mark.parametrize("other", OTHERS)
def test_anything_else_is_none(other: str) -> None:
    assert plain_numerals.parse(pa.array(["3", other])) is None


def test_a_slice_is_read_like_its_cells() -> None:
    """The bytes of a slice are not at the start of its buffers."""
    values = pa.array(["007", "1", None, "2", "08"])
    found = plain_numerals.parse(values.slice(1, 3))
    assert found is not None and found.to_pylist() == [1.0, None, 2.0]
    assert plain_numerals.parse(values.slice(3)) is None


def test_nulls_and_nothing() -> None:
    for values in (pa.array([None, None], pa.string()), pa.array([], pa.string())):
        found = plain_numerals.parse(values)
        assert found is not None and found.null_count == len(values)


def test_random_numbers_come_back_to_the_bit() -> None:
    draw = random.Random(0)
    numbers = [draw.uniform(-1, 1) * 10.0 ** draw.randint(-300, 300) for _ in range(2_000)]
    found = plain_numerals.parse(pa.array([repr(number) for number in numbers]))
    assert found is not None and found.to_pylist() == numbers
