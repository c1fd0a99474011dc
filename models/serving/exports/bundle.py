"""Write the files of a bundle. `athanor.bundle` defines their names and reads bundles."""

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
    """The network as ONNX, or the reason why there is none."""

    written: bytes | None = None
    max_difference: float | None = None
    missing: str | None = None


def origin(order: Order) -> dict[str, Any]:
    """The origin of a network: its job, checkpoint, dataset and digests."""
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


READ = {"name", "kind", "settings", "shape", "stored"}
"""What a feature needs of a column to read its cells."""


def write(
    destination: Path,
    order: Order,
    folder: Path,
    predictor: Predictor,
    golden: Goldens,
    model: Model,
    environment: dict[str, Any],
) -> None:
    """Write a bundle. The weights and the preparation are in `folder`; the other members are written there first."""
    about = {
        "bundle": FORMAT,
        **origin(order),
        "columns": [column.model_dump(mode="json", include=READ) for column in predictor.columns],
        "onnx": {"missing": model.missing} if model.missing else {"max_difference": model.max_difference},
    }
    documents: dict[str, Any] = {
        bundle.ABOUT: about,
        bundle.SPEC: order.job.spec,
        bundle.ENVIRONMENT: environment,
        bundle.GOLDENS: {"rows": golden.rows, "predictions": golden.predictions},
    }
    for name, value in documents.items():
        (folder / name).write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
    (folder / bundle.CARD).write_text(card.write(order, predictor, model.missing, environment), "utf-8")
    read = {name: x.contiguous() for name, x in named(golden.x).items()}
    tensors = save({**read, bundle.OUTPUT: golden.y.contiguous()})
    (folder / bundle.TENSORS).write_bytes(tensors)
    if model.written is not None:
        (folder / bundle.MODEL).write_bytes(model.written)
    bundle.write(destination, {name: folder / name for name in bundle.MEMBERS if (folder / name).exists()})
