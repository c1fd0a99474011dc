"""Verification of a bundle: its digests, and the outputs of its network on its golden rows.

If the server's code is installed, a child process rebuilds the network from its spec and weights. If onnxruntime is
installed, the ONNX model is run too.
"""

import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from athanor.bundle import MAX_DIFFERENCE, MODEL, OUTPUT, TENSORS, Broken, unpack
from athanor.errors import AthanorError

PATIENCE = 900
RUNNER = Path("serving", "exports", "verification.py")


@dataclass(frozen=True)
class Verdict:
    """The largest absolute differences from the golden outputs, for the rebuilt network and for the ONNX model.

    A difference is None if the network or the model was not run.
    """

    network: float | None
    onnx: float | None

    @property
    def is_right(self) -> bool:
        return all(gap <= MAX_DIFFERENCE for gap in (self.network, self.onnx) if gap is not None)


def judge(path: Path) -> Verdict:
    """Check a bundle. Raises Broken if it was changed, AthanorError if nothing on this machine can run its network."""
    with tempfile.TemporaryDirectory(prefix="athanor-verify-") as folder:
        unpack(path, Path(folder))
        found = Verdict(_rebuilt(Path(folder)), _through_onnx(Path(folder)))
    if found.network is None and found.onnx is None:
        raise AthanorError(
            f"every digest in {path.name} is right, but nothing here can run its network. Run this in a checkout of "
            "the server after make setup, or, if the bundle has a model.onnx, pip install onnxruntime safetensors"
        )
    return found


def _rebuilt(folder: Path) -> float | None:
    """The difference of the network that the server's code rebuilds in a child process. None without that code."""
    found = importlib.util.find_spec("models")
    homes = [Path(home) for home in (found.submodule_search_locations or [])] if found else []
    # Another package may also be called models; only the package of Athanor has this file.
    home = next((home for home in homes if (home / RUNNER).exists()), None)
    if home is None or importlib.util.find_spec("torch") is None:
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "models.serving.exports.verification", str(folder)],
            env={**os.environ, "PYTHONPATH": str(home.parent), "CUDA_VISIBLE_DEVICES": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise Broken(f"its network gave no answer in {PATIENCE} s") from error
    except ValueError as error:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise Broken(f"its network could not be rebuilt: {lines[-1] if lines else done.returncode}") from error
    if "error" in answer:
        raise Broken(f"its network could not be rebuilt: {answer['error']}")
    return float(answer["max_difference"])


def _through_onnx(folder: Path) -> float | None:
    if not (folder / MODEL).exists():
        return None
    try:
        import numpy as np
        import onnxruntime
        from safetensors.numpy import load_file
    except ImportError:
        return None
    try:
        tensors = load_file(folder / TENSORS)
        session = onnxruntime.InferenceSession(str(folder / MODEL), providers=["CPUExecutionProvider"])
        (outputs,) = session.run([OUTPUT], {name: tensors[name] for name in tensors.keys() - {OUTPUT}})
    except Exception as error:  # the file may be anything, and the errors of onnxruntime have no common base class
        raise Broken(f"its {MODEL} does not run: {str(error).splitlines()[0]}") from error
    wanted = tensors[OUTPUT]
    if outputs.shape != wanted.shape:
        return math.inf
    gap = float(np.abs(outputs.astype(np.float64) - wanted).max()) if wanted.size else 0.0
    return math.inf if math.isnan(gap) else gap
