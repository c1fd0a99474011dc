"""Words and punctuation, in lower case."""

import re
from itertools import chain, pairwise
from typing import ClassVar, Literal

import regex
from pydantic import Field

from athanor.contract import Column
from models.parts.markup import plain
from models.parts.scripts import CLUSTER, UNSPACED_LETTER, clusters, is_unspaced
from models.parts.tokenizer import Tokenizer

_ASCII_WORD = re.compile(r"n't|'\w+|\w+?(?=n't)|\w+|[^\w\s]")
# A letter, a digit, a mark or a joiner, but of no script without spaces: those are cut further.
_LETTER = rf"[[\p{{L}}\p{{N}}\p{{M}}_\u200c\u200d]--[{UNSPACED_LETTER}]]"
_RUN = rf"[{UNSPACED_LETTER}][{UNSPACED_LETTER}\p{{M}}\u200c\u200d]*+"
_WORD = regex.compile(rf"n't|'{_LETTER}+|{_LETTER}+?(?=n't)|{_LETTER}++|{_RUN}|(?!\s){CLUSTER}", regex.V1)
_UNSPACED_RUN = regex.compile(_RUN, regex.V1)


class Words(Tokenizer):
    """Lower-case words; clitics and punctuation are separate tokens: "don't go." is do, n't, go, '.'.

    A mark belongs to its letter, and an emoji with its joiners is one token. Scripts without spaces between words, such
    as Han, kana, Hangul, Thai, Lao and Khmer, are cut into characters; `neighbors` adds the pairs that are not rare.
    """

    kind: Literal["words"] = "words"
    neighbors: bool = Field(
        True, description="scripts without spaces: whether each pair of neighboring characters is a token, too"
    )

    html: bool = Field(False, description="whether HTML tags are left out, and character references such as &amp; read")

    min_count: ClassVar[int] = 2

    def tokens(self, text: str) -> list[str]:
        return _cut((plain(text) if self.html else text).lower(), self.neighbors)

    def is_extra(self, token: str) -> bool:
        return self.neighbors and len(token) > 1 and is_unspaced(token) and len(clusters(token)) > 1

    def tokens_with_breaks(self, text: str) -> list[str]:
        # A running text is what its tokens say one after the other: pairs would say each character again.
        lines = text.split("\n")
        return [token for at, line in enumerate(lines) for token in (["\n"] if at else []) + _cut(line.lower(), False)]

    def join(self, tokens: list[str]) -> str:
        spaces = (
            "" if is_unspaced(one[-1:]) and is_unspaced(other[:1]) else " " for one, other in pairwise([*tokens, ""])
        )
        return "".join(chain.from_iterable(zip(tokens, spaces, strict=True))).removesuffix(" ")

    def counted(self, column: Column) -> tuple[int, int]:
        words = column.words or 0
        return column.vocabulary or words, words


def _cut(text: str, neighbors: bool) -> list[str]:
    """The words of a text in lower case."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    words: list[str] = _WORD.findall(text)
    if not is_unspaced(text):
        return words
    return [token for word in words for token in (_spread(word, neighbors) if _UNSPACED_RUN.match(word) else (word,))]


def _spread(run: str, neighbors: bool) -> list[str]:
    """The characters of a run of letters without spaces: a, ab, b, bc, c for abc with neighbors."""
    characters = clusters(run)
    if not neighbors:
        return characters
    pairs = [one + other for one, other in pairwise(characters)]
    return [*chain.from_iterable(zip(characters, pairs, strict=False)), characters[-1]]
