"""Step decay against torch's."""

import pytest
import torch

from models.parts.schedules.step import StepDecay


@pytest.mark.parametrize(("every", "gamma"), [(1, 0.9), (4, 0.5), (100, 0.1)])
def test_it_is_torchs(every: int, gamma: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    reference = torch.optim.lr_scheduler.StepLR(optimizer, step_size=every, gamma=gamma)
    schedule = StepDecay(every_steps=every, gamma=gamma)
    for step in range(30):
        assert 2.0 * schedule.factor(step, 30) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()


def test_falls_are_counted_from_the_end_of_the_warm_up() -> None:
    schedule = StepDecay(every_steps=3, gamma=0.5, warmup_steps=2)
    factors = [schedule.factor(step, 11) for step in range(11)]
    assert factors == pytest.approx([0.5, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25])


def test_a_rate_that_fell_away_is_zero() -> None:
    assert StepDecay(every_steps=1, gamma=0.1).factor(99_999, 100_000) == 0.0
