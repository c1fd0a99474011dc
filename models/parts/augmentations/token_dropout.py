"""Token dropout."""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import AnswerLevel, InputKind, Inputs
from models.parts.augmentation import Augmentation, Transform


class TokenDropout(Augmentation):
    """Replaces words, or characters, by the unknown one.

    Shapes: x_BT to x_BT; padding and the end marks between documents stay. It is for every task on text, because the
    targets stay the same. Iyyer et al. 2015 remove the words; Bowman et al. 2016 and, for language models, Xie et al.
    2017 replace them by the unknown word.
    """

    accepts: ClassVar[frozenset[InputKind]] = frozenset({"text"})
    levels: ClassVar[frozenset[AnswerLevel]] = frozenset({"row", "word", "token"})

    kind: Literal["token_dropout"] = "token_dropout"
    p: float = Field(0.1, ge=0, le=1, description="probability that a word is replaced")

    def build(self, inputs: Inputs) -> Transform:
        # Number 0 is padding, 1 is the unknown word; in language modeling 2 is the end mark.
        first = 3 if inputs.causal else 2

        def transform(x_BT: torch.Tensor, rng: CounterRNG) -> torch.Tensor:
            dropped_BT = (rng.uniform(x_BT.shape[1]) < self.p) & (x_BT >= first)
            return x_BT.masked_fill(dropped_BT, 1)

        return transform
