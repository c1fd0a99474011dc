"""How many threads a training computes with: as many as are fastest on this machine, found by trying them."""

import statistics
import time
from collections.abc import Callable

import torch

WARM, ROUNDS = 2, 5
"""Steps of each number before its time counts, and steps that count."""
LONG = 0.5
"""Seconds of a step from which all threads are used untried: such work can be divided, and trying would take long."""
GAIN = 0.1
"""More threads must save this share of the time of fewer. With the same time, fewer threads disturb others less."""
WORTH = 100
"""Trainings of fewer steps compute with one thread, untried."""


def fastest(step: Callable[[], object], most: int) -> int:
    """The number of threads, at most `most`, with which `step` is fastest. It changes PyTorch's number of threads.

    The numbers are tried in turns, so that other work on the machine meets all of them alike.
    """
    times: dict[int, list[float]] = {most >> halved: [] for halved in range(most.bit_length())}
    if len(times) == 1:
        return most
    for threads in times:
        torch.set_num_threads(threads)
        for _ in range(WARM):
            began = time.perf_counter()
            step()
            if time.perf_counter() - began > LONG and threads == most:
                return most
    for _ in range(ROUNDS):
        for threads, taken in times.items():
            torch.set_num_threads(threads)
            began = time.perf_counter()
            step()
            taken.append(time.perf_counter() - began)
    chosen = 1
    for threads in sorted(times):
        if statistics.median(times[threads]) < (1 - GAIN) * statistics.median(times[chosen]):
            chosen = threads
    return chosen
