"""`python -m benchmarks.gpu_check`: train every architecture on CUDA and on the processor, and compare the losses.

Both use the same seed and the same batches, without dropout. The first losses must be equal except for rounding, and
the last loss on CUDA must be smaller than the first. Writes benchmarks/results/gpu.json. Without a CUDA device it
checks nothing and exits with code 2.
"""

import sys
from dataclasses import dataclass
from typing import Any, cast

import torch

from benchmarks import result
from models.data.preparation.examples import Examples, Preparation, Prepared, Text
from models.parts.architecture import ARCHITECTURES, Architecture, Inputs
from models.parts.inputs import ONLY, NamedInputs
from models.parts.targets.classes import FittedClasses
from models.parts.targets.next_token import FittedNextToken
from models.planning.engine import choose
from models.planning.spec import JobSpec
from worker.training.build import build
from worker.training.method import method_of

STEPS, ROWS, BATCH, CLASSES = 50, 256, 32, 4
COMPARED = 5
"""The number of first steps whose losses must agree. Training amplifies rounding errors: on one processor, a change in
the last digit of one weight changes the 50th loss of resnet by a few percent. It changes the 50th loss of stn_cnn by
much more, because the sampler of stn_cnn is not differentiable where it starts."""
TOLERANCE = 0.02
"""The largest accepted relative difference of a loss."""
EXAMPLES = {
    "vector": Inputs("vector", (16,)),
    "image": Inputs("image", (1, 16, 16)),
    "text": Inputs("text", (12,), vocabulary=50),
}
LANGUAGE = Inputs("text", (12,), vocabulary=50, per_word=True, causal=True)


@dataclass
class FixedInputs:
    """Replaces an encoder, because the rows are tensors already."""

    named: NamedInputs

    def named_inputs(self) -> NamedInputs:
        return self.named


def data(inputs: NamedInputs) -> Prepared:
    """Random rows with a class that can be learned: the class shifts the mean of a row, or its word numbers."""
    draw = torch.Generator().manual_seed(0)
    t_N = torch.randint(CLASSES, (ROWS,), generator=draw)
    x_N = {name: _tensor(each, t_N, draw) for name, each in inputs.items()}
    target: Any = FittedClasses(name="class", classes=[str(each) for each in range(CLASSES)])
    rows = Examples(x_N if len(x_N) > 1 else x_N[ONLY], t_N)
    if ONLY in inputs and inputs[ONLY].causal:
        text_NT = x_N[ONLY]
        target = FittedNextToken(outputs=inputs[ONLY].vocabulary)
        rows = Text(text_NT[:, :-1], text_NT[:, 1:], text_NT.flatten())
    preparation = Preparation.model_construct(encoder=cast(Any, FixedInputs(inputs)), target=target)
    return Prepared(preparation, rows, rows, rows)


def _tensor(inputs: Inputs, t_N: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    if inputs.kind == "text":
        words = inputs.shape[0] + inputs.causal
        return torch.randint(2, 10, (ROWS, words), generator=draw) + 10 * t_N[:, None]
    noise = torch.randn(ROWS, *inputs.shape, generator=draw)
    return noise + t_N.reshape(-1, *[1] * len(inputs.shape)).float()


def losses(architecture: Architecture, inputs: NamedInputs, device: str) -> list[float]:
    spec = JobSpec.model_validate(
        {
            "architecture": architecture,
            "dataset": {"id": "gpu-check"},
            "hyperparameters": {
                "optimizer": {"kind": "sgd", "lr": 0.01},
                "loss": {"kind": "cross_entropy"},
                "steps": STEPS,
                "batch_size": BATCH,
            },
            "checkpoints": {"mode": "min"},
            "resources": {"device": device},
        }
    )
    resources = spec.resources.model_copy(update={"engine": choose(spec)[0]})
    spec, prepared = spec.model_copy(update={"resources": resources}), data(inputs)
    steps = method_of(architecture).steps(build(spec, prepared), prepared.train, None)
    return [step.series["train/loss"] for step in steps]


def check(kind: str, device: str = "cuda") -> dict[str, Any]:
    """Compare the losses on `device` with those on the processor."""
    fields: dict[str, Any] = {}
    if "dropout" in ARCHITECTURES[kind].model_fields:
        fields["dropout"] = 0.0
    architecture = ARCHITECTURES[kind].model_validate(fields)
    language = architecture.levels == {"token"}
    names = {name: EXAMPLES[min(kinds)] for name, kinds in architecture.inputs.items()}
    inputs = {ONLY: LANGUAGE} if language else names
    there = losses(architecture, inputs, device)
    here = losses(architecture, inputs, "cpu")
    apart = max(abs(a - b) / max(1e-6, abs(b)) for a, b in zip(there[:COMPARED], here[:COMPARED], strict=True))
    # A network that only counts tokens has a single step.
    learned = len(there) == 1 or there[-1] < there[0]
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
