"""Scripts of texts: which are written without spaces between words, and the characters as a reader sees them."""

from collections.abc import Sequence

import regex

UNSPACED = (
    "Han",
    "Hiragana",
    "Katakana",
    "Bopomofo",
    "Hangul",
    "Thai",
    "Lao",
    "Khmer",
    "Myanmar",
    "Yi",
    "Tai_Tham",
    "Tai_Le",
    "New_Tai_Lue",
    "Tai_Viet",
    "Javanese",
    "Balinese",
)
"""Scripts in which no space separates words. Hangul has spaces, but between groups of a word and its endings."""

OTHERS = ("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali", "Tamil", "Telugu", "Armenian")

# The marks of long and voiced kana belong to no script.
UNSPACED_LETTER = "".join(rf"\p{{{script}}}" for script in UNSPACED) + "ーｰ゛゜"

_UNSPACED = regex.compile(rf"[{UNSPACED_LETTER}]")
_COUNTED = {script: regex.compile(rf"[\p{{{script}}}&&\p{{L}}]", regex.V1) for script in (*UNSPACED, *OTHERS)}
# A flag is two letters; \X alone would look back over all flags before it.
CLUSTER = r"(?:\p{Regional_Indicator}{2}|\X)"
_CLUSTER = regex.compile(CLUSTER)


def is_unspaced(text: str) -> bool:
    """Whether a text has a letter of a script without spaces."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def clusters(text: str) -> list[str]:
    """The characters as a reader sees them (grapheme clusters): a letter with its marks, an emoji with its joiners."""
    if text.isascii() and "\r" not in text:
        return list(text)
    found: list[str] = _CLUSTER.findall(text)
    return found


def letters(texts: Sequence[str]) -> dict[str, int]:
    """The number of letters of each script in some texts, the most frequent first."""
    text = "\n".join(texts)
    if text.isascii():
        count = sum(map(str.isalpha, text))
        return {"Latin": count} if count else {}
    counts = {script: len(pattern.findall(text)) for script, pattern in _COUNTED.items()}
    return dict(sorted(((script, count) for script, count in counts.items() if count), key=lambda each: -each[1]))
