"""The number of threads that is found by trying."""

from collections.abc import Callable, Iterator

import pytest
import torch

from worker.training import thread_trial


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Clock:
    """Stands still but for `step`, which takes as long as `seconds` says for the number of threads."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self.seconds, self.now, self.steps = seconds, 0.0, 0

    def perf_counter(self) -> float:
        return self.now

    def step(self) -> None:
        self.steps += 1
        self.now += self.seconds(torch.get_num_threads())


MakeClock = Callable[[Callable[[int], float]], Clock]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MakeClock:
    """A clock in place of the machine's, whose steps take as long as they happen to."""

    def clock(seconds: Callable[[int], float]) -> Clock:
        made = Clock(seconds)
        monkeypatch.setattr(thread_trial, "time", made)
        return made

    return clock


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
def test_the_fastest_number_is_found(clock: MakeClock, seconds: dict[int, float], found: int) -> None:
    assert thread_trial.fastest(clock(seconds.__getitem__).step, 4) == found


def test_where_there_is_no_choice_nothing_is_tried(clock: MakeClock) -> None:
    stopped = clock(lambda threads: 0.002)
    assert thread_trial.fastest(stopped.step, 1) == 1
    assert not stopped.steps


def test_every_halving_is_tried(clock: MakeClock) -> None:
    tried = list[int]()

    def seconds(threads: int) -> float:
        tried.append(threads)
        return 0.002

    thread_trial.fastest(clock(seconds).step, 6)
    assert set(tried) == {6, 3, 1} and len(tried) <= thread_trial.length(6)


def test_a_slow_first_step_of_a_process_is_no_long_step(clock: MakeClock) -> None:
    waits = iter([0.6])
    assert thread_trial.fastest(clock(lambda threads: next(waits, 0.002)).step, 2) == 1


def test_a_trial_has_a_budget(clock: MakeClock) -> None:
    long = clock(lambda threads: 0.4)
    thread_trial.fastest(long.step, 8)
    # Two steps of each of four numbers, and not one round after them.
    assert long.steps == 8
