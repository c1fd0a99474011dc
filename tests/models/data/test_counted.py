"""Counts in messages."""

import pytest

from models.data.counted import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 rows have"), (1, "1 row has"), (2, "2 rows have"), (2000, "2,000 rows have")]
)
def test_the_words_fit_the_count(count: int, said: str) -> None:
    assert counted(count, "row has", "rows have") == said


def test_of_several() -> None:
    assert counted(1, "has", "have", of="9 rows") == "1 of 9 rows has"
    assert counted(3, "has", "have", of="9 rows") == "3 of 9 rows have"
