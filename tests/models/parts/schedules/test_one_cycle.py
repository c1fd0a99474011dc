"""One cycle against torch's."""

from itertools import pairwise
from typing import Literal

import pytest
import torch

from models.parts.schedules.one_cycle import OneCycle


@pytest.mark.parametrize("anneal", ["cosine", "linear"])
@pytest.mark.parametrize(("peak", "start", "final"), [(0.3, 25.0, 1e4), (0.5, 4.0, 10.0), (0.1, 1.0, 1.0)])
def test_it_is_torchs(peak: float, start: float, final: float, anneal: Literal["cosine", "linear"]) -> None:
    steps = 40
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=2.0,
        # Torch reaches its end at the last of its steps, this schedule one later: where cosine and linear reach theirs.
        total_steps=steps + 1,
        pct_start=(peak * steps + 1) / (steps + 1),
        anneal_strategy="cos" if anneal == "cosine" else "linear",
        cycle_momentum=False,
        div_factor=start,
        final_div_factor=final,
    )
    schedule = OneCycle(peak=peak, start=start, final=final, anneal=anneal)
    for step in range(steps + 1):
        assert 2.0 * schedule.factor(step, steps) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < steps:
            reference.step()


def test_up_then_down() -> None:
    factors = [OneCycle(peak=0.25).factor(step, 100) for step in range(101)]
    assert (factors[0], factors[25], factors[100]) == pytest.approx((1 / 25, 1, 1 / 250_000))
    assert all(later > earlier for earlier, later in pairwise(factors[:26]))
    assert all(later < earlier for earlier, later in pairwise(factors[25:]))


def test_a_run_of_one_step() -> None:
    assert OneCycle().factor(0, 1) == pytest.approx(1 / 25)
