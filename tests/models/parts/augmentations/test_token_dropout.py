"""Token dropout: words become unknown, and nothing else becomes anything."""

import pytest
import torch

from models.nn.counter_rng import CounterRNG
from models.parts.architecture import Inputs
from models.parts.augmentations.token_dropout import TokenDropout
from tests import small

ROWS = 3000


@pytest.mark.parametrize("p", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("inputs", [small.SHAPES["text"], small.LANGUAGE], ids=["sentences", "language"])
def test_words_are_lost_and_marks_are_not(p: float, inputs: Inputs) -> None:
    x_BT = small.inputs("text", ROWS)
    shown_BT = TokenDropout(p=p).build(inputs)(x_BT, CounterRNG(0, 0, 0, torch.arange(ROWS)))
    # The token numbered 2 is the most frequent word of sentences, and the end mark of a language.
    words_BT = x_BT >= (3 if inputs.causal else 2)
    assert torch.equal(shown_BT[~words_BT], x_BT[~words_BT])
    lost_BT = shown_BT != x_BT
    assert (shown_BT[lost_BT] == 1).all()
    rate = float(lost_BT[words_BT].double().mean())
    assert rate == pytest.approx(p, abs=4 * (p * (1 - p) / int(words_BT.sum())) ** 0.5)
