"""The child's side of bounded children: it applies the limits to itself and then runs the module."""

import contextlib
import json
import os
import runpy
import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from athanor.processes import confinement
from athanor.processes.parent_watch import hold

MODULE = "athanor.processes.child"

NICENESS = 5
"""Children yield the processor to the service that started them. Source: nice(2)."""


@dataclass(frozen=True)
class Bounds:
    memory: int
    """Bytes of address space."""
    seconds: int
    """Limit for the processor time, and in `run_bounded` also for the wall-clock time if there is no `wall`."""
    file: int
    """Bytes of a single file that the child writes."""
    output: int = 2**26
    """Bytes of standard output, or of one answer of a child that is asked. A child that prints more is killed."""
    wall: int | None = None
    """Seconds of wall-clock time in `run_bounded`: a busy machine gives a child only some of its processors."""


def enter(order: dict[str, Any]) -> None:
    """In the child: apply the limits, then run the module."""
    bounds, folder, module = Bounds(**order["bounds"]), Path(order["folder"]), order["module"]
    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    confinement.confine(bounds.memory, bounds.seconds, bounds.file)
    package, _, inner = module.partition(".")
    if inner:
        # Import the package before the sandbox, which forbids listing the checkout, because that may hold a key.
        import_module(package)
    # Do this before any thread starts: Landlock applies only to this thread and the threads that it starts later.
    readable = [*confinement.code("athanor", "models"), *map(Path, order["readable"])]
    gaps = confinement.enclose(readable, [folder], confinement.devices())
    assert set(gaps) <= set(confinement.missing()), f"the sandbox is weaker than this kernel allows: {gaps}"
    if not order["is_asked"]:
        hold(os.fdopen(0, "rb", closefd=False))
    sys.argv[:] = [module, *order["arguments"]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def obey(order: dict[str, Any]) -> NoReturn:
    """In a fork of a warm parent: `enter`, and end as an interpreter does, without what is the warm parent's to do."""
    code = 0
    try:
        enter(order)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    enter(json.loads(sys.argv[1]))
