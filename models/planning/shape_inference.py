"""Shapes on the meta device, without the work that PyTorch's own meta kernels do for them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_SAME_SHAPE = frozenset(
    {
        *(F.batch_norm, F.layer_norm, F.dropout),
        *(F.relu, F.leaky_relu, F.elu, F.gelu, F.silu, torch.sigmoid, torch.tanh, torch.sin),
    }
)
"""Functions whose answer has the shape and type of their first argument."""
_FILLS = frozenset({"zero_", "fill_", "normal_", "uniform_"})
_RECURRENT = frozenset({"rnn_tanh", "rnn_relu", "gru", "lstm"})


class ShapeInference(TorchFunctionMode):
    """Answers with the shape alone where PyTorch's meta kernels are slow, on tensors of the meta device.

    A recurrent layer is computed there word by word, a normalization as a dozen operations, and a filled tensor as one
    operation in Python. Everything else, and with it every check of shapes that a spec can violate, is PyTorch's.
    """

    def __torch_function__(
        self, func: Any, _types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        first = args[0] if args else given.get("tensor")
        if isinstance(first, torch.Tensor) and first.is_meta:
            if func in _SAME_SHAPE and first.is_floating_point() and _fits(func, *args, **given):
                return torch.empty_like(first)
            name = getattr(func, "__name__", "")
            if name in _FILLS or getattr(func, "__module__", "") == "torch.nn.init":
                return first
            # The packed form has other arguments.
            if name in _RECURRENT and isinstance(args[2], list):
                return _recurrent(*args)
            if func is F.linear and _is_linear(*args, **given):
                return first.new_empty(*first.shape[:-1], args[1].shape[0])
        return func(*args, **given)


def _fits(func: Any, x: torch.Tensor, *rest: Any, **_named: Any) -> bool:
    """Whether a normalization is one of its input. What does not fit is left to PyTorch, which says why."""
    match func:
        case F.batch_norm:
            return bool(rest) and (rest[0] is None or rest[0].shape[0] == x.shape[1])
        case F.layer_norm:
            return bool(rest) and tuple(rest[0]) == tuple(x.shape[-len(rest[0]) :])
    return True


def _is_linear(x: torch.Tensor, *rest: Any, **named: Any) -> bool:
    if named or not rest or x.shape[-1] != rest[0].shape[-1]:
        return False
    bias = rest[1] if len(rest) > 1 else None
    return bias is None or bias.shape == rest[0].shape[:1]


def _recurrent(
    x: torch.Tensor,
    start: torch.Tensor | Sequence[torch.Tensor],
    _weights: list[torch.Tensor],
    _bias: bool,
    _layers: int,
    _dropout: float,
    _train: bool,
    bidirectional: bool,
    _batch_first: bool,
) -> tuple[torch.Tensor, ...]:
    """The states after each word of x_BTE (x_TBE), h_BTH (h_TBH), and the last states, shaped as those at the start."""
    assert x.dim() == 3, "modules of torch give a batch of one its dimension"
    states = [start] if isinstance(start, torch.Tensor) else list(start)
    hidden = states[0].shape[-1] * (2 if bidirectional else 1)
    return (x.new_empty(*x.shape[:2], hidden), *(torch.empty_like(state) for state in states))
