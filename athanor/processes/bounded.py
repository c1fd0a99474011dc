"""`run_bounded` runs a module in a sandboxed child process with limits. The child ends with this process.

It is for work on untrusted input, such as reading an upload or tracing a network for export.
"""

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from athanor.processes import confinement, full_disk
from athanor.processes.parent_watch import hold, parent_pipe

PIECE = 2**16
ERRORS = 2**16
"""The number of bytes of standard error that are kept, counted from its end."""


@dataclass(frozen=True)
class Bounds:
    memory: int
    """Bytes of address space."""
    seconds: int
    """Limit for the wall-clock time, and also for the processor time."""
    file: int
    """Bytes of a single file that the child writes."""
    output: int = 2**26
    """Bytes of standard output. A child that prints more is killed."""


@dataclass(frozen=True)
class Ended:
    """The result of a child process. `code` is its exit code, or minus the number of the signal that killed it."""

    code: int
    output: bytes
    errors: bytes


def run_bounded(
    module: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    bounds: Bounds,
    readable: Iterable[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run ``python -m module`` with `arguments` in `folder`, and wait for its end.

    The child can read `readable`, the code and the libraries, and can write below `folder`. Its environment is
    `environment` and what libraries need, without secrets. The child and its own children are killed after
    `bounds.seconds`, and when this process ends. Without Landlock, the limits apply, but the child can open any file.

    Raises TimeoutError after `bounds.seconds`, and OSError if the disk was full.
    """
    order = {"bounds": asdict(bounds), "folder": str(folder.absolute()), "readable": [str(one) for one in readable]}
    command = [sys.executable, "-P", "-m", __name__, json.dumps(order), module, *arguments]
    with (
        parent_pipe() as stdin,
        subprocess.Popen(
            command,
            env=confinement.environment(folder.absolute()) | dict(environment or {}),
            cwd=folder,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        ) as child,
        ThreadPoolExecutor(2) as readers,
    ):
        output, errors = readers.submit(_output, child, bounds.output), readers.submit(_errors, child)
        try:
            code = child.wait(bounds.seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{module} took longer than {bounds.seconds} s") from None
        finally:
            _kill(child)
    full_disk.pass_on(code)
    return Ended(code, output.result(), errors.result())


def _output(child: "subprocess.Popen[bytes]", most: int) -> bytes:
    assert child.stdout is not None
    held = child.stdout.read(most)
    if child.stdout.read(1):
        _kill(child)
    return held


def _errors(child: "subprocess.Popen[bytes]") -> bytes:
    assert child.stderr is not None
    held = b""
    while piece := child.stderr.read(PIECE):
        held = (held + piece)[-ERRORS:]
    return held


def _kill(child: "subprocess.Popen[bytes]") -> None:
    # Kill the group, because its other processes may live longer than its leader.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def main() -> None:
    """Apply the limits, then run the module. This is the child process."""
    order, module = json.loads(sys.argv[1]), sys.argv[2]
    bounds, folder = Bounds(**order["bounds"]), Path(order["folder"])
    confinement.confine(bounds.memory, bounds.seconds, bounds.file)
    package, _, inner = module.partition(".")
    if inner:
        # Import the package before the sandbox, which forbids listing the checkout, because that may hold a key.
        import_module(package)
    # Do this before any thread starts: Landlock applies only to this thread and the threads that it starts later.
    readable = [*confinement.code("athanor", "models"), *map(Path, order["readable"])]
    confinement.enclose(readable, [folder], confinement.devices())
    hold(os.fdopen(0, "rb", closefd=False))
    sys.argv[:] = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
