"""The tensors that a network reads, described without torch.

Shape letters: B rows of a batch, F features, C channels, H height, W width, T words.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

InputKind = Literal["vector", "image", "text"]


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


def side_by_side(inputs: Sequence[Inputs]) -> Inputs:
    """Several vectors as one, x_BF, in their order; a single input is itself."""
    if len(inputs) == 1:
        return inputs[0]
    return Inputs("vector", (sum(each.features for each in inputs),))
