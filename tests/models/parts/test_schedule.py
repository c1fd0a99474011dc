"""Lengths of a schedule in epochs become lengths in steps."""

import pytest
from pydantic import ValidationError

from models.errors import SpecError
from models.parts.schedules.constant import Constant
from models.parts.schedules.cosine import Cosine
from models.parts.schedules.inverse_sqrt import InverseSqrt
from models.parts.schedules.step import StepDecay


def test_epochs_are_steps() -> None:
    assert Cosine(warmup_epochs=2, final=0.1).in_steps(7) == Cosine(warmup_steps=14, warmup_epochs=None, final=0.1)
    assert (
        StepDecay(every_epochs=0.5, warmup_epochs=0.01).in_steps(9).model_dump()
        == StepDecay(every_steps=4, warmup_steps=1).model_dump()
    )
    assert InverseSqrt(warmup_epochs=3).in_steps(5).warmup_steps == 15
    assert Constant().in_steps(5) == Constant() and Constant(warmup_steps=3).in_steps(5).warmup_steps == 3


def test_what_is_in_steps_stays() -> None:
    schedule = StepDecay(every_epochs=2).in_steps(6)
    assert schedule.in_steps(100) is schedule and [schedule.factor(step, 30) for step in (0, 12, 24)] == [1, 0.5, 0.25]


@pytest.mark.parametrize("said", [{"warmup_steps": 3, "warmup_epochs": 1}, {"every_steps": 3, "every_epochs": 1}])
def test_one_unit_is_given(said: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=r"_steps or .*_epochs, not both"):
        StepDecay.model_validate(said)


@pytest.mark.parametrize("field", ["warmup_epochs", "every_epochs"])
def test_more_steps_than_a_job_may_have_are_refused(field: str) -> None:
    schedule = StepDecay.model_validate({field: 100_000})
    assert schedule.in_steps(1000).model_dump()[field.replace("epochs", "steps")] == 100_000_000
    with pytest.raises(SpecError, match="epochs of 1,001 steps are 100,100,000 steps") as refused:
        schedule.in_steps(1001)
    assert refused.value.pointer == f"/hyperparameters/schedule/{field}"
