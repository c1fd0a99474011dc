"""Cosine annealing against torch's."""

from itertools import pairwise

import pytest
import torch

from models.parts.schedules.cosine import Cosine


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_it_is_torchs(final: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30, eta_min=2.0 * final)
    for step in range(30):
        assert 2.0 * Cosine(final=final).factor(step, 30) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()


def test_from_the_whole_rate_to_the_final_share() -> None:
    schedule = Cosine(final=0.2, warmup_steps=5)
    factors = [schedule.factor(step, 25) for step in range(26)]
    assert factors[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert factors[25] == pytest.approx(0.2)
    assert all(later < earlier for earlier, later in pairwise(factors[5:]))


def test_a_warm_up_as_long_as_the_run() -> None:
    schedule = Cosine(warmup_steps=4)
    assert [schedule.factor(step, 4) for step in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
