"""Swap of neighbors."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class Swap(Augmentation):
    """Lets neighboring words change places.

    Shapes: x_BT to x_BT. A sentence is cut into pairs, from its first word or from its second, and each pair is swapped
    with probability `p`. The random swap of Wei and Zou 2019, kept to neighbors. For classification and regression:
    where every word has an answer of its own, the answers would no longer be in their places.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})

    kind: Literal["swap"] = "swap"
    p: float = Field(0.1, ge=0, le=1, description="probability of each pair")

    def build(self, inputs: Inputs) -> Change:
        def change(x_BT: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            words = x_BT.shape[1]
            u_BT = draws.uniform(words + 1)
            # The number in a pair of every word: 0 opens it, 1 closes it; before a pair of its own, 1 is alone.
            at_BT = (torch.arange(words, device=x_BT.device) + (u_BT[:, -1:] < 0.5)) % 2
            opens_BT = (at_BT == 0) & (u_BT[:, :-1] < self.p)
            opens_BT[:, :-1] &= x_BT[:, 1:] != 0
            opens_BT[:, -1:] = False
            closes_BT = opens_BT.roll(1, 1)
            from_BT = torch.arange(words, device=x_BT.device) + opens_BT.long() - closes_BT.long()
            return x_BT.gather(1, from_BT)

        return change
