"""Tokenizers: how a text is cut into tokens, and joined again. They need no torch."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from athanor.contract import Column
from models.registry import Buildable, Registry


class Tokenizer(Buildable, ABC):
    """Cuts texts into tokens. Its kind and fields travel with the checkpoint."""

    min_count: ClassVar[int] = 1
    """A token that the training part has fewer times counts as unknown to a language model."""

    @abstractmethod
    def tokens(self, text: str) -> list[str]:
        """The tokens of one line or sentence."""

    @abstractmethod
    def tokens_with_breaks(self, text: str) -> list[str]:
        """The tokens of a running text, a line break being a token of its own."""

    @abstractmethod
    def join(self, tokens: list[str]) -> str:
        """Tokens as text again."""

    @abstractmethod
    def counted(self, column: Column) -> tuple[int, int]:
        """Distinct tokens of a column of text, and tokens of all its rows, as its description says."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        TOKENIZERS.add(cls)


TOKENIZERS: Registry[Tokenizer] = Registry("tokenizers")
