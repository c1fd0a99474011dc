"""What goes into a bundle: `athanor.bundle` names the files and reads them back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save

from athanor import bundle
from athanor.version import __version__
from models.serving.exports import card
from models.serving.exports.goldens import Goldens
from models.serving.exports.order import Order
from models.serving.exports.program import named
from models.serving.prediction import Predictor

FORMAT = 1


@dataclass(frozen=True)
class Model:
    """The network as ONNX, or why it is not there."""

    written: bytes | None = None
    max_difference: float | None = None
    missing: str | None = None


def origin(order: Order) -> dict[str, Any]:
    """Where a network comes from: enough to find it again, and to know the data."""
    dataset = order.dataset.model_dump(mode="json", include={"id", "name", "format", "rows", "sha256"})
    return {
        "athanor": __version__,
        "job": order.job.id,
        "name": order.job.name,
        "checkpoint": order.checkpoint.id,
        "step": order.checkpoint.step,
        "epoch": order.checkpoint.epoch,
        "fold": order.checkpoint.fold,
        "weights_sha256": order.checkpoint.sha256,
        "dataset": dataset,
    }


def write(
    destination: Path,
    order: Order,
    folder: Path,
    predictor: Predictor,
    golden: Goldens,
    model: Model,
    environment: dict[str, Any],
) -> None:
    """Write a bundle of the weights and the preparation in `folder`, and of what is said about them."""
    about = {
        "bundle": FORMAT,
        **origin(order),
        "columns": [column.model_dump(mode="json", include={"name", "kind", "shape"}) for column in predictor.columns],
        "onnx": {"missing": model.missing} if model.missing else {"max_difference": model.max_difference},
    }
    said: dict[str, Any] = {
        bundle.ABOUT: about,
        bundle.SPEC: order.job.spec,
        bundle.ENVIRONMENT: environment,
        bundle.GOLDENS: {"rows": golden.rows, "predictions": golden.predictions},
    }
    for name, value in said.items():
        (folder / name).write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    (folder / bundle.CARD).write_text(card.write(order, predictor, model.missing, environment), "utf-8")
    read = {name: x.contiguous() for name, x in named(golden.x).items()}
    tensors = save({**read, bundle.OUTPUT: golden.y.contiguous()})
    (folder / bundle.TENSORS).write_bytes(tensors)
    if model.written is not None:
        (folder / bundle.MODEL).write_bytes(model.written)
    bundle.write(destination, {name: folder / name for name in bundle.MEMBERS if (folder / name).exists()})
