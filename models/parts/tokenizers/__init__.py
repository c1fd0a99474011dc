"""Every file here is a tokenizer: how a text is cut."""

from typing import TYPE_CHECKING

from models.parts.tokenizer import TOKENIZERS, Tokenizer

if TYPE_CHECKING:
    AnyTokenizer = Tokenizer
else:
    AnyTokenizer = TOKENIZERS.union()
