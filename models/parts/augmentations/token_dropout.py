"""Token dropout."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import AnswerLevel, InputKind, Inputs
from models.parts.augmentation import Augmentation, Change


class TokenDropout(Augmentation):
    """Turns a word, or a character, into the unknown one.

    Shapes: x_BT to x_BT, where padding and the marks between documents stay. For every task on text: what is asked for
    stays the same. Iyyer et al. 2015, who leave the words out; as unknown words in Bowman et al. 2016 and, for
    language models, in Xie et al. 2017.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"row", "word", "token"})

    kind: Literal["token_dropout"] = "token_dropout"
    p: float = Field(0.1, ge=0, le=1, description="probability of each word")

    def build(self, inputs: Inputs) -> Change:
        # 0 pads and 1 is unknown; a language has an end mark before its first word.
        first = 3 if inputs.causal else 2

        def change(x_BT: torch.Tensor, draws: CounterRNG) -> torch.Tensor:
            dropped_BT = (draws.uniform(x_BT.shape[1]) < self.p) & (x_BT >= first)
            return x_BT.masked_fill(dropped_BT, 1)

        return change
