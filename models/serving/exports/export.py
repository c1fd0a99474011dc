"""Export a checkpoint in one of the three formats."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from athanor.files import PREPARATION
from models.errors import SpecError
from models.serving.exports import bundle, goldens, onnx, program, pt2
from models.serving.exports.bundle import Model
from models.serving.exports.goldens import Goldens
from models.serving.exports.order import ROWS, Order
from models.serving.exports.program import Traced
from models.serving.prediction import Predictor

PACKAGES = ("athanor", "onnx", "onnxruntime", "onnxscript", "safetensors")


def export(order: Order, folder: Path, destination: Path) -> float | None:
    """Export the checkpoint in `folder`. Returns the largest absolute difference from the network's own outputs.

    Returns None for a bundle without an ONNX model. Raises SpecError.
    """
    torch.set_num_threads(1)
    architecture = order.resolved.spec.architecture
    predictor = Predictor.load(order.resolved, order.dataset.schema_, folder)
    golden = goldens.make(predictor, goldens.choose(folder / ROWS, predictor.columns))
    preparation = (folder / PREPARATION).read_text()
    if order.format == "bundle":
        model = Model(missing=f"{architecture.kind} has no form in ONNX")
        if "onnx" in architecture.exports:
            try:
                model = Model(*onnx.render(_traced(predictor, golden), _metadata(order, preparation), order.bound))
            except SpecError as error:
                model = Model(missing=error.message)
        bundle.write(destination, order, folder, predictor, golden, model, _environment(order))
        return model.max_difference
    traced, metadata = _traced(predictor, golden), _metadata(order, preparation)
    if order.format == "onnx":
        written, gap = onnx.render(traced, metadata, order.bound)
    else:
        written, gap = pt2.render(traced, {f"{name}.json": text for name, text in metadata.items()}, order.bound)
    destination.write_bytes(written)
    return gap


def _traced(predictor: Predictor, golden: Goldens) -> Traced:
    return program.trace(predictor.module, predictor.preparation.named_inputs(), golden.x)


def _metadata(order: Order, preparation: str) -> dict[str, str]:
    """The metadata inside the exported model: its preprocessing, its spec and its origin."""
    return {
        "preparation": preparation,
        "spec": json.dumps(order.job.spec, sort_keys=True),
        "origin": json.dumps(bundle.origin(order), sort_keys=True),
    }


def _environment(order: Order) -> dict[str, Any]:
    here = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        **{name: version(name) for name in PACKAGES},
    }
    return {"trained": order.fingerprint, "exported": here}
