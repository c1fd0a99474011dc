"""The bounds of a child process that does what a stranger asks for: memory, time and disk, and no secrets."""

import contextlib
import os
import resource
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def environment(folder: str | Path) -> dict[str, str]:
    """No secrets. The other names keep libraries from reserving memory for threads, which counts against the bound."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_IO_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    return kept | threads | {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}


def confine(memory: int, seconds: int, file: int) -> None:
    """Hold this process, from now on, to bytes of memory, seconds of processor time, and bytes of any one file."""
    bounds = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: file,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (bound, bound))
