"""The number of threads that is found by trying."""

import time
from collections.abc import Iterator

import pytest
import torch

from worker.training import thread_trial


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        # By threads: what a step takes.
        ({4: 0.004, 2: 0.008, 1: 0.016}, 4),
        ({4: 0.016, 2: 0.004, 1: 0.008}, 2),
        # Hardly faster is not worth the processors of others.
        ({4: 0.0077, 2: 0.0078, 1: 0.008}, 1),
        ({4: 0.050, 2: 0.030, 1: 0.004}, 1),
        # Those below a number that is far slower are not tried.
        ({4: 0.004, 2: 0.020, 1: 0.001}, 4),
        # So much work is not tried.
        ({4: 0.6, 2: 0.0, 1: 0.0}, 4),
    ],
)
def test_the_fastest_number_is_found(seconds: dict[int, float], found: int) -> None:
    assert thread_trial.fastest(lambda: time.sleep(seconds[torch.get_num_threads()]), 4) == found


def test_where_there_is_no_choice_nothing_is_tried() -> None:
    def step() -> None:
        raise AssertionError

    assert thread_trial.fastest(step, 1) == 1


def test_every_halving_is_tried() -> None:
    tried = list[int]()

    def step() -> None:
        tried.append(torch.get_num_threads())
        time.sleep(0.002)

    thread_trial.fastest(step, 6)
    assert set(tried) == {6, 3, 1} and len(tried) <= thread_trial.length(6)


def test_a_slow_first_step_of_a_process_is_no_long_step() -> None:
    waits = iter([0.6])
    assert thread_trial.fastest(lambda: time.sleep(next(waits, 0.002)), 2) == 1


def test_a_trial_has_a_budget() -> None:
    began = time.perf_counter()
    thread_trial.fastest(lambda: time.sleep(0.4), 8)
    assert time.perf_counter() - began < 4 * 2 * 0.4 + 4 * 0.4 + 0.5
