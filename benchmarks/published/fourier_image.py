"""Fit a photograph, from pixel position to brightness, with and without Fourier features."""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_sample_image

from athanor.client import Client
from benchmarks.published.study import SEEDS, Lab, Row, Study

SIDE, AT_ONCE = 128, 1000
LAYERS: dict[str, Any] = {"kind": "fourier_mlp", "hidden": [128, 128, 128]}
NETWORKS = {"features": {**LAYERS, "sigma": 3.0}, "plain": {**LAYERS, "encoding": "none"}}


def picture() -> npt.NDArray[np.float64]:
    """The middle of scikit-learn's photograph of a temple: SIDE×SIDE gray values from 0 to 1."""
    photograph = Image.fromarray(load_sample_image("china.jpg")).convert("L")
    width, height = photograph.size
    edge = (width - height) // 2
    middle = photograph.crop((edge, 0, edge + height, height))
    return np.asarray(middle.resize((SIDE, SIDE), Image.Resampling.LANCZOS)) / 255


def _write(path: Path) -> list[dict[str, float]]:
    """Write the picture as a table with one row per pixel. Returns the rows."""
    rows = [
        {"x": (column + 0.5) / SIDE, "y": (line + 0.5) / SIDE, "brightness": float(value)}
        for line, values in enumerate(picture())
        for column, value in enumerate(values)
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["x", "y", "brightness"])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def _measure(lab: Lab) -> list[Row]:
    rows = _write(lab.scratch / "picture.csv")
    pixels = lab.upload(lab.scratch / "picture.csv")
    ratios: dict[str, list[float]] = {}
    for name, network in NETWORKS.items():
        specs = [
            {
                "architecture": network,
                "dataset": {
                    "id": pixels,
                    "target": "brightness",
                    "split": {"kind": "holdout", "val": 0.0, "test": 0.0},
                },
                "hyperparameters": {"epochs": 20, "batch_size": 64, "seed": seed},
            }
            for seed in SEEDS
        ]
        ratios[name] = [_ratio(lab.client, job.id, rows) for job in lab.train(specs)]
    gains = [one - other for one, other in zip(ratios["features"], ratios["plain"], strict=True)]
    beside = {f"{name} PSNR, dB": values for name, values in ratios.items()}
    what = "`fourier_mlp` above the same layers without features, a photograph"
    return [Row(what, "far better", gains, bar=8.0, unit="dB", beside=beside)]


def _ratio(client: Client, job: str, rows: list[dict[str, float]]) -> float:
    """Peak signal-to-noise ratio (PSNR) in dB of the picture that a job predicts."""
    asked = [{"x": row["x"], "y": row["y"]} for row in rows]
    answers = [
        answer["value"]
        for start in range(0, len(asked), AT_ONCE)
        for answer in client.predict(job, asked[start : start + AT_ONCE]).predictions
    ]
    squares = [(answer - row["brightness"]) ** 2 for answer, row in zip(answers, rows, strict=True)]
    return -10 * math.log10(sum(squares) / len(squares))


STUDY = Study(
    paper="Tancik et al. 2020, Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains",
    how="PSNR of the picture drawn by predict, all pixels given in training, less that of the layers without features",
    measure=_measure,
)
