"""Byte-pair encoding: learned, kept and used again."""

import time
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.parts.tokenizers.bpe import BPE

TEXTS = ["low lower lowest", "newer newest wider", "很好 很好 不好", "low low newest"] * 3
LEARNED = BPE(vocabulary_size=300).fit(TEXTS)


def test_the_first_merge_is_the_most_frequent_pair() -> None:
    """As in the paper: the pair of neighboring bytes that occurs most often."""
    words = [("Ġ" if at else "") + word for text in TEXTS[:1] for at, word in enumerate(text.split())]
    pairs = Counter(pair for word in words for pair in pairwise(word))
    most = max(pairs.values())
    learned = BPE(vocabulary_size=257).fit(TEXTS[:1])
    assert learned.merges is not None and len(learned.merges) == 1
    first, second = learned.merges[0].split(" ")
    assert pairs[first, second] == most


def test_frequent_words_are_one_token() -> None:
    assert "Ġlow" in LEARNED.tokens("a low") and len(LEARNED.tokens("很好")) == 1
    assert len(LEARNED.tokens("很好")) < len("很好".encode())


def test_it_is_the_same_again_and_after_json() -> None:
    assert BPE(vocabulary_size=300).fit(TEXTS) == LEARNED
    kept = BPE.model_validate_json(LEARNED.model_dump_json())
    assert kept.tokens("lowest 很好 🙂") == LEARNED.tokens("lowest 很好 🙂")
    assert kept.fit(["other texts"]) == kept


@settings(deadline=None)
@given(st.text())
def test_nothing_is_lost(text: str) -> None:
    assert LEARNED.join(LEARNED.tokens(text)) == text


def test_before_learning_each_byte_is_a_token() -> None:
    assert len(BPE().tokens("很好a")) == 7


@pytest.mark.parametrize("merges", [["ab"], ["t he"], ["t h", "th e", "thex y"], [" a"], ["很 好"]])
def test_merges_that_do_not_follow_are_refused(merges: list[str]) -> None:
    with pytest.raises(ValidationError):
        BPE(merges=merges)
    assert BPE(merges=["t h", "th e"]).tokens("the") == ["the"]


@pytest.mark.parametrize("piece", ["ab", "很好", " ", "a "])
def test_long_runs_are_learned_in_time(piece: str) -> None:
    started = time.process_time()
    learned = BPE(vocabulary_size=400).fit([piece * 100_000])
    assert learned.join(learned.tokens(piece * 1000)) == piece * 1000
    assert time.process_time() - started < 20
