"""torch.export's own file: a graph that torch.export.load reads back without any of our code."""

import io

import torch

from models.nn.named_tensors import call
from models.serving.exports.program import Traced, check, difference


def render(traced: Traced, extra: dict[str, str], bound: float) -> tuple[bytes, float]:
    """The bytes of a .pt2 with `extra` files in it, and the largest difference that was seen. Raises SpecError.

    The format has room for pickled example inputs and pickled tensors of odd kinds; none are in it: weights are raw
    bytes, the graph is JSON.
    """
    file = io.BytesIO()
    torch.export.save(traced.program, file, extra_files=extra)
    file.seek(0)
    again = torch.export.load(file).module()
    worst = 0.0
    with torch.no_grad():
        for x in traced.trials():
            worst = max(worst, difference(call(again, x), call(traced.module, x)))
    return file.getvalue(), check(worst, bound, "program")
