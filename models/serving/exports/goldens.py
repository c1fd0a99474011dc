"""Golden rows: a few rows of the dataset as they were uploaded, and the network's outputs for them.

Shape letters: N rows, T words, K outputs.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from athanor.contract import Column
from models.nn.named_tensors import NetworkInput, call
from models.parts.feature import of
from models.serving.prediction import Predictor

MOST_ROWS = 8
MOST_NUMBERS = 1_000_000
"""The largest number of input values of all rows, and of outputs."""
LONGEST_TEXT, MOST_WORDS = 2_000, 512


@dataclass(frozen=True)
class Goldens:
    """Raw rows for `predict`, x_N… and y_N… of the network, and its predictions. A language model has none."""

    rows: list[dict[str, Any]]
    x: NetworkInput
    y: torch.Tensor
    predictions: list[dict[str, Any]] | None


def choose(path: Path, columns: list[Column]) -> list[dict[str, Any]]:
    """Read raw rows, evenly spaced, from a dataset's Parquet file. The file has at least one row."""
    width = sum(math.prod(column.shape or (1,)) for column in columns)
    names = [column.name for column in columns]
    rows: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as file:
        total = file.metadata.num_rows
        count = max(1, min(MOST_ROWS, total, MOST_NUMBERS // width))
        wanted = [at * total // count for at in range(count)]
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            here = [at - start for at in wanted if start <= at < stop]
            if here:
                rows += file.read_row_group(group, columns=names).take(here).to_pylist()
            start = stop
    return [{column.name: _raw(row[column.name], column) for column in columns} for row in rows]


def make(predictor: Predictor, rows: list[dict[str, Any]]) -> Goldens:
    """Run the network on raw rows. For a language model with a large vocabulary, rows and words are cut."""
    x = predictor.encode(rows)
    target = predictor.preparation.target
    language = target.part.self_supervised
    if language:
        assert isinstance(x, torch.Tensor)
        length = max(1, min(x.shape[1], MOST_NUMBERS // target.outputs))
        count = max(1, MOST_NUMBERS // (target.outputs * length))
        rows, x = rows[:count], x[:count, :length]
    with torch.no_grad():
        y = call(predictor.module, x)
    return Goldens(rows, x, y, None if language else predictor.decode(rows, y))


def _raw(value: Any, column: Column) -> Any:
    """A cell as in a predict request. A long text is cut."""
    shown = of(column).show(value, column)
    if isinstance(shown, str):
        return shown[:LONGEST_TEXT]
    if isinstance(shown, list) and shown and isinstance(shown[0], str):
        return shown[:MOST_WORDS]
    return shown
