"""How sentences are cut."""

import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.parts.tokenizers.words import Words

_BEFORE = re.compile(r"n't|'\w+|\w+?(?=n't)|\w+|[^\w\s]")
"""The rule for scripts with spaces, in the standard library's words. It sets marks apart, such as that of i̇."""
_EUROPEAN = st.characters(
    max_codepoint=0x4FF, exclude_categories=["Cs", "Cc", "Cf", "Mn", "Me"], exclude_characters="İ"
)


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
        ("Ein schöner FILM – gut", ["ein", "schöner", "film", "–", "gut"]),
        ("Ёлка, Ωδή", ["ёлка", ",", "ωδή"]),
        ("rock'n'roll", ["rock", "'n", "'roll"]),
        ("हिन्दी में अच्छी।", ["हिन्दी", "में", "अच्छी", "।"]),
        ("مَرْحَبًا بِكُمْ", ["مَرْحَبًا", "بِكُمْ"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("I ❤️ 👨‍👩‍👧 🇩🇪🇫🇷 👍🏽!", ["i", "❤️", "👨‍👩‍👧", "🇩🇪", "🇫🇷", "👍🏽", "!"]),
        ("<user> a < b", ["<", "user", ">", "a", "<", "b"]),
        ("很好。iPhone", ["很", "很好", "好", "。", "iphone"]),
        ("コーヒー", ["コ", "コー", "ー", "ーヒ", "ヒ", "ヒー", "ー"]),
        ("좋아요 말", ["좋", "좋아", "아", "아요", "요", "말"]),
        ("ไม่ดี", ["ไ", "ไม่", "ม่", "ม่ดี", "ดี"]),
        ("ດີ", ["ດີ"]),
        ("ម៉ាក់", ["ម៉ា", "ម៉ាក់", "ក់"]),
    ],
)
def test_examples(text: str, words: list[str]) -> None:
    assert Words().tokens(text) == words


def test_pairs_can_be_left_out() -> None:
    assert Words(neighbors=False).tokens("Sehr 很好用 ไม่") == ["sehr", "很", "好", "用", "ไ", "ม่"]


def test_html_is_left_out_where_asked() -> None:
    text = "Don't<br />stop &amp; <b class='x'>GO</b> &#60;3 <user> a<b"
    assert Words(html=True).tokens(text) == ["do", "n't", "stop", "&", "go", "<", "3", "<", "user", ">", "a", "<", "b"]
    assert "br" in Words().tokens(text)


@settings(deadline=None)
@given(st.text())
def test_nothing_is_lost_but_space_and_case(text: str) -> None:
    words = Words(neighbors=False).tokens(text)
    assert re.sub(r"\s", "", "".join(words)) == re.sub(r"\s", "", text.lower())
    assert all(words)


@settings(deadline=None)
@given(st.text(_EUROPEAN | st.sampled_from("n't'\u2019_-. ")))
def test_scripts_with_spaces_are_cut_as_before(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert Words().tokens(text) == _BEFORE.findall(text.lower())


@settings(deadline=None)
@given(st.text("很好用ไม่ดีか가a1 ,") | st.text())
def test_pairs_stand_between_their_characters(text: str) -> None:
    characters, both = Words(neighbors=False).tokens(text), Words().tokens(text)
    assert len(characters) <= len(both) < 2 * len(characters) or not characters
    kept = iter(both)
    assert all(any(token == one for one in kept) for token in characters)


def test_running_texts_say_nothing_twice() -> None:
    tokens = Words().tokens_with_breaks("很好 a\nไม่")
    assert tokens == ["很", "好", "a", "\n", "ไ", "ม่"]
    assert Words().join(tokens) == "很好 a \n ไม่"


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "é",
        "中",
        "ก",
        "한",
        "👨‍👩‍👧",
        "🇩",
        "\u0301",
        "中\u0301",
        "\u200d",
        "<",
        "<a ",
        "<a",
        "&#1",
        "n't",
        "nn'",
        "'",
        "éa'",
    ],
)
def test_the_time_rises_with_the_length(piece: str) -> None:
    """Eight times the text takes about eight times as long; a quadratic rule would take 64 times."""

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        started = time.process_time()
        Words(html=True).tokens(text)
        return time.process_time() - started

    short = min(seconds(20_000) for _ in range(3))
    assert seconds(160_000) < 32 * short + 0.05
