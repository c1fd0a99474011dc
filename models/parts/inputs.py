"""Descriptions of the input tensors of a network, without torch.

Shape letters: B rows of a batch, F features, C channels, H height, W width, T words.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

InputKind = Literal["vector", "image", "text"]
AnswerLevel = Literal["row", "word", "token"]
"""A network gives one answer per row, one per word, or one per token (the next token)."""

PAD, UNKNOWN = 0, 1
"""Numbers of words: what fills a short row, and a word that no training row has."""


@dataclass(frozen=True)
class Inputs:
    """One input: vectors x_BF, images x_BCHW, or word numbers x_BT (0 pads, 1 is unknown)."""

    kind: InputKind
    shape: tuple[int, ...]
    vocabulary: int = 0
    rare: int = 2**31
    """Words with this number or a higher one occur once in the training part."""
    per_word: bool = False
    """One answer per word, y_BTK, instead of one per row."""
    causal: bool = False
    """No answer may depend on later words, because the task is to predict the next word."""

    @property
    def features(self) -> int:
        """Numbers in one row."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> Literal["int64", "float32"]:
        """The PyTorch type of its numbers: int64 for word numbers, else float32."""
        return "int64" if self.kind == "text" else "float32"

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return 8 if self.dtype == "int64" else 4

    @property
    def variable_length(self) -> bool:
        """Whether T may differ between batches. Rows are words, and the last words may be padding."""
        return self.kind == "text"

    @property
    def channels_last(self) -> bool:
        """Whether networks compute faster if the weights are in PyTorch's memory format `channels_last`."""
        return self.kind == "image"


NamedInputs = Mapping[str, Inputs]
"""All inputs of a network by name. Names are identifiers, never column names."""

ONLY = "x"
"""The name of the input of a network with a single input."""


def only(inputs: NamedInputs) -> Inputs:
    """The input of a network with a single input."""
    (one,) = inputs.values()
    return one


def numbers(inputs: NamedInputs) -> int:
    """Numbers in one row of all inputs."""
    return sum(each.features for each in inputs.values())


def side_by_side(inputs: Sequence[Inputs]) -> Inputs:
    """Several vectors joined into one, x_BF, in order. A single input is returned as it is."""
    if len(inputs) == 1:
        return inputs[0]
    return Inputs("vector", (sum(each.features for each in inputs),))
