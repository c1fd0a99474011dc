"""Swap of neighbors."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class Swap(Augmentation):
    """Swaps neighboring words.

    Shapes: x_BT to x_BT. A sentence is divided into pairs, starting at its first or its second word, and each pair is
    swapped with probability `p`. This is the random swap of Wei and Zou 2019, limited to neighbors. It is for
    classification and regression only: where every word has a target, the targets would not move with the words.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})

    kind: Literal["swap"] = "swap"
    p: float = Field(0.1, ge=0, le=1, description="probability that a pair is swapped")

    def build(self, inputs: Inputs) -> Transform:
        def transform(x_BT: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            words = x_BT.shape[1]
            u_BT = rng.uniform(words + 1)
            # Each word's position in its pair: 0 is first, 1 is second. A 1 at the start of a sentence has no pair.
            position_BT = (torch.arange(words, device=x_BT.device) + (u_BT[:, -1:] < 0.5)) % 2
            first_BT = (position_BT == 0) & (u_BT[:, :-1] < self.p)
            first_BT[:, :-1] &= x_BT[:, 1:] != 0
            first_BT[:, -1:] = False
            second_BT = first_BT.roll(1, 1)
            source_BT = torch.arange(words, device=x_BT.device) + first_BT.long() - second_BT.long()
            return x_BT.gather(1, source_BT)

        return transform
