"""The next token: metrics over batches are those of the whole, padding counts for nothing."""

import pytest
import torch

from athanor.contract import Column
from models.parts.target import Language
from models.parts.targets.next_token import FittedNextToken, NextToken


def test_sums_of_batches_are_those_of_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    y_NTK, t_NT = torch.randn(6, 4, 9, generator=generator), torch.randint(0, 9, (6, 4), generator=generator)
    t_NT[2, 1:] = -1
    target = FittedNextToken(outputs=9)
    halves = [target.count(y_NTK[rows], t_NT[rows]) for rows in (slice(0, 2), slice(2, 6))]
    added = target.conclude([one + other for one, other in zip(*halves, strict=True)])
    assert halves[0][0] + halves[1][0] == 21
    assert added == pytest.approx(target.measure(y_NTK, t_NT)) and added.keys() >= set(NextToken.metrics)


@pytest.mark.parametrize(
    ("tokens", "documents", "outputs"),
    [("characters", "stream", 30), ("characters", "lines", 29), ("words", "lines", 103)],
)
def test_as_many_outputs_as_tokens(tokens: str, documents: str, outputs: int) -> None:
    column = Column(name="t", kind="text", alphabet=26, vocabulary=100)
    language = Language(tokens, documents, 8)  # type: ignore[arg-type]
    assert NextToken.outputs(column, language) == outputs
