"""Byte ranges by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ranges import Unsatisfiable, parse


@pytest.mark.parametrize(
    ("header", "size", "wanted"),
    [
        (None, 10, None),
        ("", 10, None),
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=0-", 10, (0, 10)),
        ("bytes=3-5", 10, (3, 6)),
        ("bytes=3-99", 10, (3, 10)),
        ("bytes=9-", 10, (9, 10)),
        ("bytes=-1", 10, (9, 10)),
        ("bytes=-10", 10, (0, 10)),
        ("bytes=-99", 10, (0, 10)),
        ("bytes = 3 - 5", 10, (3, 6)),
        ("bytes=-", 10, None),
        ("bytes=5-3", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=1", 10, None),
        ("bytes=--1", 10, None),
        ("lines=0-1", 10, None),
        ("bytes=0-1\n", 10, None),
        ("bytes=٣-٤", 10, None),
        ("bytes=²-", 10, None),
        ("bytes=0-" + "9" * 5000, 10, None),
        ("bytes=0-" + "9" * 19, 10, (0, 10)),
    ],
)
def test_forms(header: str | None, size: int, wanted: tuple[int, int] | None) -> None:
    assert parse(header, size) == wanted


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-11", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_outside(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        parse(header, size)


@given(st.binary(min_size=1, max_size=50), st.integers(0, 60), st.none() | st.integers(0, 60))
def test_a_range_is_a_slice(data: bytes, first: int, last: int | None) -> None:
    header = f"bytes={first}-{'' if last is None else last}"
    wanted = data[first : None if last is None else last + 1]
    try:
        found = parse(header, len(data))
    except Unsatisfiable:
        assert first >= len(data)
        return
    if last is not None and last < first:
        assert found is None
    else:
        assert found is not None and data[slice(*found)] == wanted and wanted


@given(st.binary(min_size=1, max_size=50), st.integers(1, 60))
def test_a_suffix_is_the_end(data: bytes, count: int) -> None:
    found = parse(f"bytes=-{count}", len(data))
    assert found is not None and data[slice(*found)] == data[-count:]


@given(st.text(max_size=30) | st.from_regex(r"bytes=[0-9]{0,25}-[0-9]{0,25}"), st.integers(0, 10**12))
def test_whatever_is_sent_the_range_lies_in_the_file(header: str, size: int) -> None:
    try:
        found = parse(header, size)
    except Unsatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= size
