"""The worst of many answers: none of them is lost."""

import pytest

from tests.hostile.case import Answer
from tests.hostile.sequences import worst

RIGHT, BUSY, WRONG, CLOSED = Answer(200, b""), Answer(503, b""), Answer(422, b""), Answer(0, b"")


def test_the_worst_answer() -> None:
    assert worst([RIGHT, BUSY], 2) == RIGHT
    assert worst([RIGHT, WRONG, BUSY], 3) == WRONG
    assert worst([WRONG, CLOSED, RIGHT], 3) == CLOSED


@pytest.mark.parametrize("answers", [[RIGHT], [BUSY, BUSY], [CLOSED, CLOSED], [WRONG, BUSY]])
def test_answers_that_prove_nothing(answers: list[Answer]) -> None:
    with pytest.raises(AssertionError):
        worst(answers, 2)
