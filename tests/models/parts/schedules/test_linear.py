"""Linear decay against torch's."""

import pytest
import torch

from models.parts.schedules.linear import LinearDecay


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_it_is_torchs(final: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    reference = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=final, total_iters=30)
    for step in range(31):
        expected = optimizer.param_groups[0]["lr"]
        assert 2.0 * LinearDecay(final=final).factor(step, 30) == pytest.approx(expected, abs=1e-12)
        optimizer.step()
        reference.step()


def test_after_the_warm_up() -> None:
    schedule = LinearDecay(final=0.2, warmup_steps=2)
    assert [schedule.factor(step, 6) for step in range(7)] == pytest.approx([0.5, 1, 1, 0.8, 0.6, 0.4, 0.2])
