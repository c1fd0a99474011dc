"""Tokenizers: split a text into tokens and join them again. They need no torch."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from athanor.contract import Column
from models.registry import Buildable, Registry


class Tokenizer(Buildable, ABC):
    """Splits texts into tokens. The checkpoint stores its kind and fields."""

    min_count: ClassVar[int] = 1
    """A language model treats tokens that occur less often in the training part as unknown."""

    learns: ClassVar[bool] = False
    """Whether its tokens are learned from the training rows. A language model cannot use such a tokenizer."""

    def fit(self, texts: Iterable[str]) -> Self:
        """The tokenizer that has learned its tokens from the texts of the training rows."""
        return self

    def is_extra(self, token: str) -> bool:
        """Whether a token says again what those beside it say. A rare one is left out, not counted as unknown."""
        return False

    @abstractmethod
    def tokens(self, text: str) -> list[str]:
        """The tokens of one line or sentence."""

    @abstractmethod
    def tokens_with_breaks(self, text: str) -> list[str]:
        """The tokens of a running text. Each line break is a token."""

    @abstractmethod
    def join(self, tokens: list[str]) -> str:
        """The text of a list of tokens."""

    @abstractmethod
    def counted(self, column: Column) -> tuple[int, int]:
        """The numbers of distinct tokens and of all tokens in a text column, from its description."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        TOKENIZERS.add(cls)


TOKENIZERS: Registry[Tokenizer] = Registry("tokenizers")
