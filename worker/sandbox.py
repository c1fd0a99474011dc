"""What a trainer may touch: its attempt's folder, its devices, the code it runs. No database, no key, no network."""

import sys
from pathlib import Path

from models import confinement

ROOT = Path(__file__).resolve().parents[1]
CODE = ("athanor", "models", "worker")
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/sys")
ABOUT = ("self", "cpuinfo", "meminfo", "stat", "devices", "driver", "sys", "version")
"""Below /proc. Of other processes nothing: a supervisor's environment names the database."""

DEVICES = ("null", "zero", "random", "urandom")


def enter(folder: Path, memory: int) -> bool:
    """Before anything of a job is looked at. Returns False where the kernel cannot hold this process to `folder`.

    The bounds on `memory`, in bytes, and on files and cores hold in either case.
    """
    confinement.confine_training(memory)
    modules = [Path(entry).resolve() for entry in sys.path if entry]
    readable = [
        # The attempt's: the dataset, and what the training goes on from.
        folder.parent,
        *(ROOT / name for name in CODE),
        *(place for place in modules if place != ROOT),
        *map(Path, (sys.prefix, sys.base_prefix, *SYSTEM)),
        *(Path("/proc", name) for name in ABOUT),
    ]
    devices = [*(Path("/dev", name) for name in DEVICES), *Path("/dev").glob("nvidia*")]
    # Semaphores of the processes that make batches lie in /dev/shm, under no name.
    return confinement.enclose(readable, [folder, Path("/dev/shm")], devices)
