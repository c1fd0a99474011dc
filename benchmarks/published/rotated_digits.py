"""Digits rotated by up to 90 degrees: the gain from a spatial transformer before the network."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from athanor.errors import AthanorError
from benchmarks.published.study import SEEDS, Lab, Row, Study

PLAIN = {"kind": "cnn", "hidden": [148]}
STRAIGHTENED = {"kind": "stn_cnn"}
TOLERANCE = 0.01


def turn(digits: Path, out: Path) -> None:
    """Write the images of a zip of class folders as an npz. Each is rotated by a random angle within ±90 degrees."""
    rng = np.random.default_rng(0)
    x, y = [], []
    with zipfile.ZipFile(digits) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".png")):
            image = Image.open(io.BytesIO(archive.read(name)))
            x.append(np.asarray(image.rotate(rng.uniform(-90, 90), Image.Resampling.BILINEAR)))
            y.append(int(name.split("/")[-2]))
    np.savez_compressed(out, images=np.stack(x), labels=np.array(y))


def _measure(lab: Lab) -> list[Row]:
    turn(lab.data / "mnist10k.zip", lab.scratch / "turned.npz")
    digits = lab.upload(lab.scratch / "turned.npz")
    errors, parameters = {}, {}
    for network in (PLAIN, STRAIGHTENED):
        kind = str(network["kind"])
        specs = [
            {
                "architecture": network,
                "dataset": {"id": digits, "split": {"kind": "holdout", "val": 0.0, "test": 0.2, "seed": seed}},
                "hyperparameters": {"epochs": 12, "seed": seed},
            }
            for seed in SEEDS
        ]
        parameters[kind] = [float(lab.client.plan(specs[0]).parameters)]
        errors[kind] = [100 * (1 - job.latest["test/accuracy"].value) for job in lab.train(specs)]
    if abs(parameters["cnn"][0] / parameters["stn_cnn"][0] - 1) > TOLERANCE:
        raise AthanorError(f"the networks differ in size: {parameters}")
    plain = sum(errors["cnn"]) / len(SEEDS)
    shares = [error / plain for error in errors["stn_cnn"]]
    beside = {f"{kind} error, %": values for kind, values in errors.items()}
    beside |= {f"{kind} parameters": values for kind, values in parameters.items()}
    return [
        Row(
            "`stn_cnn` beside `cnn`, digits turned by up to 90°",
            "0.7 / 1.2 = 0.58",
            shares,
            0.75,
            "of the error",
            "less",
            2,
            beside,
        )
    ]


STUDY = Study(
    paper="Jaderberg et al. 2015, Spatial Transformer Networks, table 1",
    how="error on 2,000 digits as a share of the mean error of a plain cnn with as many parameters and epochs",
    measure=_measure,
)
