"""Trainings whose rate is compared: as a file and a spec for the service, and as tensors for a plain PyTorch loop.

Values are random, since a rate does not depend on them. Shape letters: N rows, F features, C channels, T words.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.parts.inputs import Inputs

CLASSES, VOCABULARY, CHARACTERS = 10, 2000, 64
FIRST = 2
"""The number of the first word: 0 pads, and 1 is an unknown word."""


@dataclass(frozen=True)
class Workload:
    """A network, its data, and how many steps of them take some seconds."""

    architecture: dict[str, Any]
    inputs: Inputs
    outputs: int
    batch: int
    steps: int
    rows: int
    write: Callable[["Workload", Path], Path]
    """Writes the file that is uploaded to a folder. Returns its path."""
    dataset: dict[str, Any]
    """Fields of `dataset` in the spec, without the id."""

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """x_N… and t_N…, as a plain loop would have them."""
        generator = torch.Generator().manual_seed(0)
        shape = (self.rows, *self.inputs.shape)
        t_N = torch.randint(self.outputs, (self.rows,), generator=generator)
        if self.inputs.kind == "text":
            x_NT = torch.randint(FIRST, self.inputs.vocabulary, shape, generator=generator)
            return x_NT, torch.roll(x_NT, -1, 1) if self.inputs.causal else t_N
        return torch.randn(shape, generator=generator), t_N


def _arrays(workload: Workload, folder: Path) -> Path:
    x_N, t_N = workload.tensors()
    if workload.inputs.kind == "image":
        pixels = (x_N.permute(0, 2, 3, 1) * 60 + 128).clamp(0, 255).to(torch.uint8)
        np.savez(folder / "arrays.npz", x=pixels.numpy(), y=t_N.numpy())
    else:
        np.savez(folder / "arrays.npz", x=x_N.numpy(), y=t_N.numpy())
    return folder / "arrays.npz"


def _sentences(workload: Workload, folder: Path) -> Path:
    x_NT, t_N = workload.tensors()
    with (folder / "texts.jsonl").open("w") as file:
        for words, label in zip(x_NT.tolist(), t_N.tolist(), strict=True):
            file.write(json.dumps({"text": " ".join(f"w{word}" for word in words), "label": f"c{label}"}) + "\n")
    return folder / "texts.jsonl"


def _characters(workload: Workload, folder: Path) -> Path:
    x_NT, _ = workload.tensors()
    letters = "".join(chr(ord("0") + number) for number in x_NT.flatten().tolist())
    (folder / "text.txt").write_text("\n".join(letters[at : at + 500] for at in range(0, len(letters), 500)))
    return folder / "text.txt"


def _image(size: int, channels: int) -> Inputs:
    return Inputs("image", (channels, size, size))


WORKLOADS: dict[str, Workload] = {
    "mlp": Workload({"kind": "mlp"}, Inputs("vector", (64,)), CLASSES, 64, 6000, 1797, _arrays, {}),
    "cnn": Workload({"kind": "cnn"}, _image(28, 1), CLASSES, 64, 150, 5000, _arrays, {}),
    "lstm": Workload(
        {"kind": "rnn"},
        Inputs("text", (40,), vocabulary=VOCABULARY),
        CLASSES,
        64,
        150,
        3000,
        _sentences,
        {"input": "text", "target": "label"},
    ),
    "transformer": Workload(
        {"kind": "transformer_lm"},
        Inputs("text", (64,), vocabulary=CHARACTERS, causal=True),
        CHARACTERS,
        12,
        150,
        4000,
        _characters,
        {"task": "language_modeling", "tokens": "characters", "context": 64},
    ),
    "resnet": Workload({"kind": "resnet"}, _image(32, 3), CLASSES, 64, 20, 1000, _arrays, {}),
    "table": Workload({"kind": "mlp"}, Inputs("vector", (20,)), CLASSES, 1024, 600, 1_000_000, _arrays, {}),
}
