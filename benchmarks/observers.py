"""What an observer costs: steps of a perceptron with the gradient norm of every layer, and without."""

import statistics
import time
from itertools import islice
from typing import Any

from models.parts.architectures.mlp import MLP
from models.parts.optimizers.adam import Adam
from tests import small
from tests.worker.training.test_observers import GradientNorms
from worker.training.loop import fit

ROUNDS, STEPS, EVERY = 40, 10, 10
ROWS, BATCH = 4000, 2000


def measure() -> dict[str, Any]:
    """Ten steps with and ten without, in turn: what else runs here meets both."""
    x_N, t_N = small.problem("vector", ROWS)
    plain, observed = (
        fit(
            small.learner(
                MLP(hidden=[256, 256, 256]),
                Adam(),
                "vector",
                rows=ROWS,
                batch_size=BATCH,
                steps=(ROUNDS + 1) * STEPS,
                every_steps=EVERY,
            ),
            (x_N, t_N),
            None,
            observers,
        )
        for observers in ([], [GradientNorms()])
    )
    ratios = []
    for _ in range(ROUNDS + 1):
        seconds = []
        for steps in (plain, observed):
            began = time.perf_counter()
            list(islice(steps, STEPS))
            seconds.append(time.perf_counter() - began)
        ratios.append(seconds[1] / seconds[0] - 1)
    # The first round fills caches.
    first, _, last = statistics.quantiles(ratios[1:], n=4)
    return {
        "rounds": ROUNDS,
        "median_percent": round(100 * statistics.median(ratios[1:]), 2),
        "quartiles_percent": [round(100 * first, 2), round(100 * last, 2)],
    }
