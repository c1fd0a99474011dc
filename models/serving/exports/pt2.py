"""Export as pt2, the file format of torch.export. torch.export.load reads it without the code of Athanor."""

import io

import torch

from models.nn.named_tensors import call
from models.serving.exports.program import Traced, check, difference


def render(traced: Traced, extra: dict[str, str], bound: float) -> tuple[bytes, float]:
    """The bytes of a .pt2 file with `extra` files, and the largest absolute difference. Raises SpecError.

    The format allows pickled example inputs and pickled tensors of special types, but this file has none: its weights
    are raw bytes, and its graph is JSON.
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
