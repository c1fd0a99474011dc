"""How many threads a training computes with: as many as are fastest on this machine, found by trying them."""

import statistics
import time
from collections.abc import Callable

import torch

WARM, ROUNDS = 2, 5
"""Steps of each number before it is compared, and rounds of comparison."""
LONG = 0.5
"""Seconds of a step from which nothing is compared: such work can be divided, and comparing would take long."""
BUDGET = 2.0
"""Seconds after which no further round begins."""
HOPELESS = 1.5
"""A number so many times slower than the best one is dropped, and so are all below it."""
GAIN = 0.1
"""More threads must save this share of the time of fewer. With the same time, fewer threads disturb others less."""


def length(most: int) -> int:
    """The largest number of steps that a trial takes."""
    return (WARM + ROUNDS) * most.bit_length()


def fastest(step: Callable[[], object], most: int) -> int:
    """The number of threads, at most `most`, with which `step` is fastest. It changes PyTorch's number of threads.

    `most`, half of it and so on are tried in turns, so that other work on the machine meets all of them alike.
    It takes at most `length(most)` steps.
    """
    if most == 1:
        return most
    began = time.perf_counter()
    times: dict[int, list[float]] = {}
    for threads in (most >> halved for halved in range(most.bit_length())):
        # The very first step of a process takes longer than all others, and any step may be disturbed.
        quickest = min(_time(step, threads) for _ in range(WARM))
        if threads == most and quickest > LONG:
            return most
        if quickest > HOPELESS * min((taken[0] for taken in times.values()), default=quickest):
            break
        times[threads] = [quickest]
    for _ in range(ROUNDS):
        if time.perf_counter() - began > BUDGET:
            break
        for threads, taken in times.items():
            taken.append(_time(step, threads))
    chosen, *more = sorted(times)
    for threads in more:
        if statistics.median(times[threads]) < (1 - GAIN) * statistics.median(times[chosen]):
            chosen = threads
    return chosen


def _time(step: Callable[[], object], threads: int) -> float:
    torch.set_num_threads(threads)
    began = time.perf_counter()
    step()
    return time.perf_counter() - began
