"""`python -m tests.chaos.launch PROCESS MODULE …` starts a process of the service with the crash points of its kind.

CHAOS is the folder in which points are armed. The workers' clock is CHAOS_CLOCK seconds ahead. A trainer waits
CHAOS_PACE seconds before each step. CHAOS_MIME replaces trainers by mimes.
"""

import functools
import importlib
import os
import runpy
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from athanor.processes import confinement
from tests.chaos import failpoints
from worker.supervision import trainer_start

COMMAND = (sys.executable, "-m", "tests.chaos.launch")
MIME = (sys.executable, "-S", "-E", str(Path(__file__).with_name("mime.py")))


def main() -> None:
    folder, process, module = Path(os.environ["CHAOS"]), cast(failpoints.Process, sys.argv[1]), sys.argv[2]
    trainer_start.COMMAND, trainer_start.FORKS = MIME, "CHAOS_MIME" not in os.environ
    trainer_start.PARENT_COMMAND = (*COMMAND, "trainer", "worker.trainer_parent")
    trainer_start.PASSED_ON = (*trainer_start.PASSED_ON, "CHAOS", "CHAOS_CLOCK", "CHAOS_PACE")
    enclose = confinement.enclose

    def enclose_but(readable: Iterable[Path], writable: Iterable[Path], devices: Iterable[Path]) -> list[str]:
        return enclose(readable, [*writable, folder], devices)

    confinement.enclose = enclose_but
    failpoints.install(folder, process)
    if process != "api":
        _set_clock(int(os.environ.get("CHAOS_CLOCK", "0")))
    if process == "trainer":
        _set_pace(float(os.environ.get("CHAOS_PACE", "0")))
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _set_clock(ahead: int) -> None:
    """Set the clock of this process forward by `ahead` seconds."""
    real = time.time
    time.time = lambda: real() + ahead


def _set_pace(rest: float) -> None:
    """Wait before each step. Otherwise a small network is trained before anything can be killed."""
    # Imported only here, because the other processes need no torch.
    loop: Any = importlib.import_module("worker.training.loop")
    step = loop.step

    @functools.wraps(step)
    def rested(*arguments: Any) -> Any:
        time.sleep(rest)
        return step(*arguments)

    loop.step = rested


if __name__ == "__main__":
    main()
