"""Scores of predictions: the metrics of the task over the rows whose target is known.

Shape letters: N rows, T words, K outputs.
"""

import torch

from athanor.contract import Scores
from models.data.table import Table
from models.parts.target import FittedTarget

MOST_KEPT = 4_000_000
"""Outputs that are kept for metrics whose statistics do not add up over batches. With more rows there are none."""


class Scorer:
    """Collects outputs and targets, batch by batch."""

    def __init__(self, target: FittedTarget) -> None:
        self.target = target
        self._sums: list[float] = []
        self._rows = self._left_out = 0
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._size = 0

    def see(self, table: Table, y_NK: torch.Tensor) -> None:
        """Outputs of rows that have the target column."""
        known = self.target.known(table)
        self._rows, self._left_out = self._rows + len(known), self._left_out + table.rows - len(known)
        if not len(known):
            return
        t_N, y_NK = self.target.encode(table, known), y_NK[torch.from_numpy(known)]
        if self.target.part.per_word():
            # Targets are cut at the longest training row, where outputs may be longer.
            y_NK = y_NK[:, : t_N.shape[1]]
        counted = self.target.count(y_NK, t_N)
        self._sums = [old + new for old, new in zip(self._sums or [0.0] * len(counted), counted, strict=True)]
        self._size += y_NK.numel()
        if self._size <= MOST_KEPT and not all(each.additive for each in self.target.part.measures()):
            self._kept.append((y_NK, t_N))

    def scores(self) -> Scores | None:
        """None if no row had the target column."""
        if not self._rows + self._left_out:
            return None
        metrics = self.target.conclude(self._sums) if self._rows else {}
        for each in self.target.part.measures():
            if self._rows and not each.additive:
                metrics.pop(each.kind, None)
                value = None
                if self._size <= MOST_KEPT:
                    y_NK, t_N = (torch.cat(parts) for parts in zip(*self._kept, strict=True))
                    value = each.measure(y_NK, t_N, self.target.meaning)
                if value is not None:
                    metrics[each.kind] = value
        return Scores(rows=self._rows, left_out=self._left_out, metrics=metrics)
