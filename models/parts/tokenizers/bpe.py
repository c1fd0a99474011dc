"""Byte-pair encoding: pieces of words, learned from the training rows."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

import tokenizers
from pydantic import Field, field_validator
from tokenizers import decoders, models, pre_tokenizers, trainers

from athanor.contract import Column
from models.parts.tokenizer import Tokenizer

# Its threads would outnumber the processors that a job may use.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
_LONGEST_TOKEN = 32
_TAUGHT_BYTES = 32 << 20
"""More text would change few pieces, and take memory for every distinct word."""
# The time to learn rises with the square of the length of a word, so longer runs without a space are cut.
_PIECE = re.compile(r"\s{0,64}\S{1,64}|\s{1,64}")
_LONG = re.compile(r"\S{65}|\s{65}")


class BPE(Tokenizer):
    """Pieces of words: a pair of neighbors, at first bytes, that is frequent in the training rows becomes one token.

    Sennrich, Haddow and Birch 2016; from bytes as in Radford et al. 2019. It fits every script. Upper and lower case
    differ, and a space belongs to the word after it.
    """

    kind: Literal["bpe"] = "bpe"
    vocabulary_size: int = Field(8000, ge=256, le=50_000, description="the largest number of different tokens")
    merges: list[Annotated[str, Field(max_length=2 * _LONGEST_TOKEN)]] | None = Field(
        None,
        max_length=50_000,
        description="pairs that become one token, in order, such as 't h'; null: learned from the training rows",
    )

    learns: ClassVar[bool] = True

    @field_validator("merges")
    @classmethod
    def _known(cls, merges: list[str] | None) -> list[str] | None:
        known = set(_ALPHABET)
        for merge in merges or []:
            one, _, other = merge.partition(" ")
            if one not in known or other not in known:
                raise ValueError(
                    f"'{merge}' must be two tokens with a space between them; each is a byte or made before"
                )
            known.add(one + other)
        return merges

    def fit(self, texts: Iterable[str]) -> Self:
        if self.merges is not None:
            return self
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary_size,
            min_frequency=2,
            initial_alphabet=_ALPHABET,
            max_token_length=_LONGEST_TOKEN,
            show_progress=False,
        )
        learner = _byte_level(models.BPE())
        learner.train_from_iterator(_bounded(texts), trainer)
        learned = json.loads(learner.to_str())["model"]["merges"]
        return self.model_copy(update={"merges": [f"{one} {other}" for one, other in learned]})

    def tokens(self, text: str) -> list[str]:
        if self.merges is None:
            # Each byte, until something is learned: an upper bound for the description of a column.
            return list(text.encode().decode("latin-1"))
        pieces = _PIECE.findall(text) if _LONG.search(text) else [text]
        return [token for piece in pieces for token in self._encoder.encode(piece).tokens]

    def tokens_with_breaks(self, text: str) -> list[str]:
        return self.tokens(text)

    def join(self, tokens: list[str]) -> str:
        return decoders.ByteLevel().decode(tokens)

    def counted(self, column: Column) -> tuple[int, int]:
        return self.vocabulary_size, column.words or 0

    @cached_property
    def _encoder(self) -> tokenizers.Tokenizer:
        merges = [(one, other) for one, _, other in (merge.partition(" ") for merge in self.merges or [])]
        known = dict.fromkeys([*_ALPHABET, *(one + other for one, other in merges)])
        return _byte_level(models.BPE({token: at for at, token in enumerate(known)}, merges))


def _byte_level(model: models.BPE) -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


def _bounded(texts: Iterable[str]) -> Iterator[str]:
    """The pieces of the first texts that have _TAUGHT_BYTES together."""
    size = 0
    for text in texts:
        size += len(text.encode())
        yield from _PIECE.findall(text)
        if size > _TAUGHT_BYTES:
            return
