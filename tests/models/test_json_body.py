"""JSON of strangers: what is read, and what is refused before it is built."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.json_body import MalformedJson, TooManyValues, parse

# NUL to the last code point, without halves of surrogate pairs.
TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | TEXT,
    lambda inner: some.lists(inner, max_size=5) | some.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES)
def test_it_reads_what_python_reads(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert parse(text.encode(), 10_000) == json.loads(text)


def test_numbers_that_are_not_finite_are_read() -> None:
    nan, infinity = parse(b"[NaN, -Infinity]", 10)
    assert math.isnan(nan) and infinity == -math.inf


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[1,]",
        b"\xff",
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'{"a": "\\udc00\\ud800"}',
        b'{"\\ud83d": 1}',
        "[1]".encode("utf-16"),
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"1" * 5_000,
    ],
)
def test_what_is_not_json_of_utf_8(text: bytes) -> None:
    with pytest.raises(MalformedJson):
        parse(text, 100_000)


def test_a_repeated_key_is_refused() -> None:
    with pytest.raises(MalformedJson, match="the key 'lr' is repeated"):
        parse(b'{"optimizer": [{"lr": 1, "kind": "sgd", "lr": 2}]}', 100)
    assert parse(b'{"a": {"b": 1}, "b": {"a": 1}}', 100)


def test_values_are_counted_before_they_are_built() -> None:
    assert len(parse(b"[" + b"1," * 98 + b"1]", 99)) == 99
    with pytest.raises(TooManyValues, match="more than 99 values"):
        parse(b"[" + b"1," * 99 + b"1]", 99)
