"""What a network reads: one tensor, or several by their names.

A network with one input is called `model(x)`; with several, each is a keyword: `model(words=…, numbers=…)`.
Shape letters: N rows, B rows of a batch.
"""

from collections.abc import Callable

import torch
from torch import nn

NetworkInput = torch.Tensor | dict[str, torch.Tensor]
"""x_N… of the only input, or x_N… of each, by name. All have the same rows."""


def tensors(x: NetworkInput) -> list[torch.Tensor]:
    """All of them, in their order."""
    return list(x.values()) if isinstance(x, dict) else [x]


def map_tensors(change: Callable[[torch.Tensor], torch.Tensor], x: NetworkInput) -> NetworkInput:
    """The same with every tensor changed."""
    return {name: change(tensor) for name, tensor in x.items()} if isinstance(x, dict) else change(x)


def rows(x: NetworkInput) -> int:
    """N."""
    return len(tensors(x)[0])


def split(x: NetworkInput, size: int) -> list[NetworkInput]:
    """Batches of `size` rows in their order; the last may be smaller."""
    if not isinstance(x, dict):
        return list(torch.split(x, size))
    pieces = [torch.split(tensor, size) for tensor in x.values()]
    return [dict(zip(x, piece, strict=True)) for piece in zip(*pieces, strict=True)]


def call(model: nn.Module, x: NetworkInput) -> torch.Tensor:
    """The outputs of a network."""
    y: torch.Tensor = model(**x) if isinstance(x, dict) else model(x)
    return y
