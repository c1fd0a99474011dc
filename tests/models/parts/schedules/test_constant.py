"""A constant rate."""

from models.parts.schedules.constant import Constant


def test_the_whole_rate_from_the_end_of_the_warm_up() -> None:
    schedule = Constant(warmup_steps=4)
    assert [schedule.factor(step, 8) for step in range(8)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert Constant().factor(0, 1) == 1.0
