"""Verification of a bundle: its digests, and the outputs of its network on its golden rows.

A bundle may be a stranger's. Its digests are checked in this process, its networks run in enclosed ones: the network
that is rebuilt from spec and weights, if the server's code is installed, and the ONNX model, if onnxruntime is.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from athanor.bundle import MAX_DIFFERENCE, MODEL, Broken, unpack
from athanor.errors import AthanorError
from athanor.processes.left_behind import scratch_folder

ROOT = Path(__file__).resolve().parents[1]
REBUILD, RUN_ONNX = "models.serving.exports.verification", "athanor.onnx_run"
"""The modules that run in child processes. Each prints an `Answer`."""

SECONDS = 600
"""Of wall-clock and of processor time, for each of them."""
LIBRARIES, COPIES = 2**33, 16
"""Limit of memory: bytes of address space for the libraries, and for each byte of the bundle. torch maps 5 GB of its
own, and a network with its inputs and outputs needs a few times the size of its weights."""
LONGEST_ANSWER, LONGEST_FILE = 2**16, 2**16
WINDOWS = "anything that you may do"
"""What this system cannot keep a child from."""


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


class Answer(BaseModel):
    """What a child prints. A network that has taken it over may print anything."""

    model_config = ConfigDict(extra="forbid", strict=True)

    max_difference: float | None = Field(None, ge=0)
    error: str | None = None


def judge(path: Path, trusted: bool = False) -> Verdict:
    """Check a bundle. Where the system cannot enclose its networks, they run only if it is `trusted`.

    Raises Broken if it was changed, AthanorError if its network does not run on this machine.
    """
    with scratch_folder(Path(tempfile.gettempdir()), "athanor-verify-") as folder:
        members = folder / "bundle"
        members.mkdir()
        unpack(path, members)
        can_rebuild = (ROOT / f"{REBUILD.replace('.', '/')}.py").exists() and find_spec("torch") is not None
        has_onnx = (members / MODEL).exists() and all(find_spec(name) for name in ("onnxruntime", "safetensors"))
        if not can_rebuild and not has_onnx:
            raise AthanorError(
                f"every digest in {path.name} is right, but nothing here can run its network. Run this in a checkout "
                "of the server after make setup, or, if the bundle has a model.onnx, after pip install onnxruntime "
                "safetensors"
            )
        if not trusted and (gaps := unprevented()):
            raise AthanorError(
                f"every digest in {path.name} is right, but its network was not run: it may be a stranger's, and this "
                f"system cannot keep it from {', '.join(gaps)}. If you trust whoever made it, add --trust"
            )
        return Verdict(
            _difference("its network could not be rebuilt", REBUILD, members) if can_rebuild else None,
            _difference(f"its {MODEL} does not run", RUN_ONNX, members) if has_onnx else None,
        )


def unprevented() -> list[str]:
    """What this system cannot keep a child process from. Empty if it can enclose it."""
    if sys.platform == "win32":
        return [WINDOWS]
    from athanor.processes import confinement

    return confinement.missing()


def _difference(failure: str, module: str, members: Path) -> float:
    """The largest difference of outputs that `module` finds. Raises Broken with `failure` if it finds none."""
    with scratch_folder(members.parent) as folder:
        if module == RUN_ONNX:
            # It has nothing to write, and cannot change the mode of a folder. torch needs one for temporary files.
            folder.chmod(0o500)
        try:
            code, output, errors = run(module, members, folder, {"HOME": str(folder), "CUDA_VISIBLE_DEVICES": ""})
        except TimeoutError as error:
            raise Broken(f"{failure}: there is no answer after {SECONDS} s") from error
    try:
        answer = Answer.model_validate_json(output)
    except ValidationError:
        answer = Answer()
    if answer.max_difference is not None:
        return answer.max_difference
    lines = errors.decode(errors="replace").strip().splitlines()
    reason = answer.error or f"its process ended with {code}" + (f": {lines[-1]}" if lines else "")
    raise Broken(f"{failure}: {reason}")


def run(module: str, members: Path, folder: Path, environment: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """Run ``python -m module members`` enclosed in `folder`: its exit code, output and errors. Raises TimeoutError."""
    if sys.platform == "win32":
        command = [sys.executable, "-P", "-m", module, str(members)]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        return done.returncode, done.stdout, done.stderr
    from athanor.processes.bounded import Bounds, run_bounded

    held = sum(file.stat().st_size for file in members.iterdir())
    bounds = Bounds(LIBRARIES + COPIES * held, SECONDS, LONGEST_FILE, LONGEST_ANSWER)
    ended = run_bounded(
        module, [str(members)], folder=folder, bounds=bounds, readable=[members], environment=environment
    )
    return ended.code, ended.output, ended.errors
