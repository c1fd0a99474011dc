"""Words and punctuation, in lower case."""

import re
from typing import ClassVar, Literal

from athanor.contract import Column
from models.parts.tokenizer import Tokenizer

_WORD = re.compile(r"n't|'\w+|\w+?(?=n't)|\w+|[^\w\s]")


class Words(Tokenizer):
    """Lower-case words; clitics and punctuation are separate tokens: "don't go." is do, n't, go, '.'."""

    kind: Literal["words"] = "words"

    min_count: ClassVar[int] = 2

    def tokens(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())

    def tokens_with_breaks(self, text: str) -> list[str]:
        lines = text.split("\n")
        return [token for at, line in enumerate(lines) for token in (["\n"] if at else []) + self.tokens(line)]

    def join(self, tokens: list[str]) -> str:
        return " ".join(tokens)

    def counted(self, column: Column) -> tuple[int, int]:
        words = column.words or 0
        return column.vocabulary or words, words
