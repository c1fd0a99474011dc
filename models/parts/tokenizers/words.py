"""Text to words: the one way Athanor cuts a sentence."""

import re

_WORD = re.compile(r"n't|'\w+|\w+?(?=n't)|\w+|[^\w\s]")


def tokenize(text: str) -> list[str]:
    """Lower-cased words, with clitics and punctuation apart: "don't go." is do, n't, go, '.'."""
    return _WORD.findall(text.lower())
