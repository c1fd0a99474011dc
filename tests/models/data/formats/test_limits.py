"""The formula: what an upload of a size may take."""

import pytest

from models.data.formats.limits import FORMULA, GIB, MIB, Limits, OverLimit, cells


def test_a_small_upload_may_take_little() -> None:
    small = Limits().for_upload(10_000)
    assert small.max_seconds == 5
    assert small.max_memory_bytes <= 242 * MIB
    assert small.max_pixels == 128 * MIB + 256 * 10_000
    assert small.max_cells == 4_000_000 + 256 * 10_000
    assert small.max_members == 20_000 + 10_000 // 128


def test_limits_grow_with_the_upload_up_to_their_ceilings() -> None:
    sizes = [0, 1, 1000, MIB, 100 * MIB, 4 * GIB, 1000 * GIB]
    for name in FORMULA:
        values = [getattr(Limits().for_upload(size), name) for size in sizes]
        assert values == sorted(values)
        assert values[-1] == getattr(Limits(), name), "the ceiling"
    assert Limits(max_columns=7).for_upload(MIB).max_columns == 7


def test_a_column_among_many_costs_more() -> None:
    assert cells(1000, 1) == 1001
    assert cells(10, 1000) == 2 * 10 * 1000
    with pytest.raises(OverLimit, match="max_cells is 30"):
        Limits(max_cells=30).check_cells(3, 11, "The table")
    Limits(max_cells=30, max_text_cells=40).check_cells(3, 11, "The table", is_text=True)


def test_a_refusal_says_what_where_and_what_to_do() -> None:
    with pytest.raises(OverLimit) as raised:
        Limits().for_upload(500).check_cells(3001, 2000, "The Parquet file")
    assert str(raised.value) == (
        "The Parquet file has more than 3,000 rows of 2,000 columns, too many cells; the limit max_cells is 4,128,000 "
        "for a file of 500 bytes. Leave out rows or columns; most cells of this file repeat others."
    )
