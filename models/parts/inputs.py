"""The tensors that a network reads, described without torch.

Shape letters: B rows of a batch, F features, C channels, H height, W width, T words.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

InputKind = Literal["vector", "image", "text"]
AnswerLevel = Literal["row", "word", "token"]
"""What there is an answer for: a row, each of its words, or what comes after each of its tokens."""


@dataclass(frozen=True)
class Inputs:
    """One input: vectors x_BF, images x_BCHW, or word numbers x_BT (0 pads, 1 is unknown)."""

    kind: InputKind
    shape: tuple[int, ...]
    vocabulary: int = 0
    rare: int = 2**31
    """Words from this number on were seen once in training."""
    per_word: bool = False
    """One answer a word, y_BTK, instead of one a row."""
    causal: bool = False
    """No answer may depend on later words: the next word is what is asked for."""

    @property
    def features(self) -> int:
        """Numbers in one row."""
        return math.prod(self.shape)


NamedInputs = Mapping[str, Inputs]
"""All that a network reads, by names that are identifiers and never those of columns."""

ONLY = "x"
"""The name of an input that is the only one."""


def only(inputs: NamedInputs) -> Inputs:
    """The single one of a network that reads nothing else."""
    (one,) = inputs.values()
    return one


def numbers(inputs: NamedInputs) -> int:
    """Numbers in one row of all inputs."""
    return sum(each.features for each in inputs.values())


def side_by_side(inputs: Sequence[Inputs]) -> Inputs:
    """Several vectors as one, x_BF, in their order; a single input is itself."""
    if len(inputs) == 1:
        return inputs[0]
    return Inputs("vector", (sum(each.features for each in inputs),))
