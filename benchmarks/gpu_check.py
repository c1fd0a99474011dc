"""`python -m benchmarks.gpu_check`: every architecture on CUDA and on the processor, side by side.

The same seed, the same batches, no dropout: the first losses must agree to rounding, and the last be smaller. Writes
benchmarks/results/gpu.json. Without a CUDA device it checks nothing and says so with exit code 2.
"""

import sys
from typing import Any

import torch

from benchmarks import result
from models.parts.architecture import ARCHITECTURES, Architecture, Inputs
from models.parts.loss import LOSSES
from models.parts.optimizer import OPTIMIZERS
from models.parts.schedule import SCHEDULES
from worker.training.loader import Part
from worker.training.loop import Learner, TrainingConfig, fit

STEPS, ROWS, BATCH, CLASSES = 50, 256, 32, 4
COMPARED = 5
"""Steps whose losses must agree. Training itself makes more of rounding: on one processor, a change of a weight's last
digit moves the fiftieth loss of resnet by some per cent, and that of stn_cnn, which starts on the kinks of its sampler,
many times over."""
TOLERANCE = 0.02
"""Largest relative difference of a loss."""
EXAMPLES = {
    "vector": Inputs("vector", (16,)),
    "image": Inputs("image", (1, 16, 16)),
    "text": Inputs("text", (12,), vocabulary=50),
}


def data(inputs: Inputs) -> Part:
    """Rows whose class can be learned: it shifts their mean, or their words."""
    draw = torch.Generator().manual_seed(0)
    t_N = torch.randint(CLASSES, (ROWS,), generator=draw)
    if inputs.kind == "text":
        x_NT = torch.randint(2, 10, (ROWS, *inputs.shape), generator=draw) + 10 * t_N[:, None]
        return x_NT, t_N
    noise = torch.randn(ROWS, *inputs.shape, generator=draw)
    return noise + t_N.reshape(-1, *[1] * len(inputs.shape)).float(), t_N


def losses(architecture: Architecture, inputs: Inputs, device: torch.device) -> list[float]:
    torch.manual_seed(0)
    model = architecture.build(inputs, CLASSES).to(device)
    optimizer = OPTIMIZERS["sgd"].model_validate({"lr": 0.01}).over(model)
    course = TrainingConfig(
        criterion=LOSSES["cross_entropy"].model_validate({}).build(),
        factor=SCHEDULES["constant"].model_validate({}).factor,
        measure=lambda _y, _t: {},
        steps=STEPS,
        steps_per_epoch=ROWS // BATCH,
        batch_size=BATCH,
        seed=0,
    )
    x_N, t_N = data(inputs)
    train = (x_N.to(device), t_N.to(device))
    return [step.series["train/loss"] for step in fit(Learner(model, optimizer, course), train, None)]


def check(kind: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "dropout" in ARCHITECTURES[kind].model_fields:
        fields["dropout"] = 0.0
    architecture = ARCHITECTURES[kind].model_validate(fields)
    inputs = EXAMPLES[sorted(architecture.accepts)[0]]
    there = losses(architecture, inputs, torch.device("cuda"))
    here = losses(architecture, inputs, torch.device("cpu"))
    apart = max(abs(a - b) / max(1e-6, abs(b)) for a, b in zip(there[:COMPARED], here[:COMPARED], strict=True))
    learned = there[-1] < there[0]
    return {
        "first_loss": there[0],
        "last_loss": there[-1],
        "largest_relative_difference": apart,
        "passed": learned and apart < TOLERANCE,
    }


def main() -> int:
    if not torch.cuda.is_available():
        print("no CUDA device is visible here: nothing was checked", file=sys.stderr)
        return 2
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    found: dict[str, dict[str, Any]] = {part.model_fields["kind"].default: {} for part in ARCHITECTURES}
    for kind in found:
        found[kind] = check(kind)
    result.write("gpu", {"device": torch.cuda.get_device_name(), "steps": STEPS, "architectures": found})
    return 0 if all(entry["passed"] for entry in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
