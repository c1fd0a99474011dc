"""Perplexity."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch.nn import functional as F

from models.parts.metric import Direction, Meaning, Metric

LARGEST = 700.0
"""The largest number of nats whose exponential is still finite."""


class Perplexity(Metric):
    """Exponential of the mean negative log-likelihood of the true tokens in nats, at most e to the 700."""

    direction: ClassVar[Direction] = "min"
    tasks: ClassVar[frozenset[str]] = frozenset({"language_modeling"})
    statistics: ClassVar[tuple[str, ...]] = ("tokens", "nats")

    kind: Literal["perplexity"] = "perplexity"

    def count(self, y: torch.Tensor, t: torch.Tensor, meaning: Meaning) -> list[float]:
        y_nK, t_n = y[t >= 0], t[t >= 0]
        return [float(len(t_n)), float(F.cross_entropy(y_nK, t_n, reduction="none").double().sum())]

    def conclude(self, statistics: Sequence[float], meaning: Meaning) -> float | None:
        tokens, nats = statistics
        return float(np.exp(np.float64(min(LARGEST, nats / tokens)))) if tokens else math.nan
