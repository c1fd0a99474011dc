"""How sentences are cut."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.parts.tokenizers.words import Words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t", []),
        ("Don't go.", ["do", "n't", "go", "."]),
        ("It's Anna's, isn't it?", ["it", "'s", "anna", "'s", ",", "is", "n't", "it", "?"]),
        ("can't", ["ca", "n't"]),
        ("n't", ["n't"]),
        ("well-made film... 3.5 stars", ["well", "-", "made", "film", ".", ".", ".", "3", ".", "5", "stars"]),
        ("Ein schöner FILM – 好き", ["ein", "schöner", "film", "–", "好き"]),
        ("rock'n'roll", ["rock", "'n", "'roll"]),
    ],
)
def test_examples(text: str, words: list[str]) -> None:
    assert Words().tokens(text) == words


@settings(deadline=None)
@given(st.text())
def test_nothing_is_lost_but_space_and_case(text: str) -> None:
    words = Words().tokens(text)
    assert "".join(words) == re.sub(r"\s", "", text.lower())
    assert all(words)
