"""Characters, one by one."""

from typing import Literal

from athanor.contract import Column
from models.parts.scripts import clusters
from models.parts.tokenizer import Tokenizer


class Characters(Tokenizer):
    """Every character is a token: a letter with its marks, an emoji with its joiners.

    In language modeling, every Unicode code point is a token.
    """

    kind: Literal["characters"] = "characters"

    def tokens(self, text: str) -> list[str]:
        return clusters(text)

    def tokens_with_breaks(self, text: str) -> list[str]:
        return list(text)

    def join(self, tokens: list[str]) -> str:
        return "".join(tokens)

    def counted(self, column: Column) -> tuple[int, int]:
        return column.alphabet or 0, column.characters or 0
