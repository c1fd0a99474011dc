"""Tokenizers. Each file defines one way to split a text."""

from typing import TYPE_CHECKING

from models.parts.tokenizer import TOKENIZERS, Tokenizer

if TYPE_CHECKING:
    AnyTokenizer = Tokenizer
else:
    AnyTokenizer = TOKENIZERS.union()
