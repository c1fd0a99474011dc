"""Exponential decay against torch's."""

import pytest
import torch

from models.parts.schedules.exponential import Exponential


@pytest.mark.parametrize("final", [1e-3, 0.5, 1.0])
def test_it_is_torchs(final: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    reference = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=final ** (1 / 30))
    for step in range(31):
        assert 2.0 * Exponential(final=final).factor(step, 30) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()


def test_after_the_warm_up() -> None:
    schedule = Exponential(final=0.01, warmup_steps=2)
    assert [schedule.factor(step, 6) for step in range(7)] == pytest.approx([0.5, 1, 1, 10**-0.5, 0.1, 10**-1.5, 0.01])
