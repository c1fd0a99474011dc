"""What a trainer may touch: its attempt's folder, its devices, the code it runs. No database, no key, no network."""

import os
import sys
import tempfile
from pathlib import Path

from athanor.processes import confinement

ROOT = Path(__file__).resolve().parents[2]
CODE = ("athanor", "models", "worker")
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/sys")
ABOUT = ("self", "cpuinfo", "meminfo", "stat", "devices", "driver", "sys", "version")
"""Below /proc. Of other processes nothing: a supervisor's environment names the database."""

DEVICES = ("null", "zero", "random", "urandom")
THREADS = Path("/proc/self/task")


def enter(folder: Path, memory: int) -> list[str]:
    """Before anything of a job is looked at. Returns what the kernel cannot keep this process from.

    The bounds on `memory`, in bytes, and on files and cores hold in any case. Where libraries look for a place to
    write, they find `folder`.
    """
    confinement.confine_training(memory)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    # A thread is held by what it or its starter entered, and by nothing that another did.
    alone = not THREADS.exists() or len(os.listdir(THREADS)) == 1
    modules = [Path(entry).resolve() for entry in sys.path if entry]
    readable = [
        # The attempt's: the dataset, and what the training goes on from.
        folder.parent,
        *(ROOT / name for name in CODE),
        *(place for place in modules if place != ROOT),
        *map(Path, (sys.prefix, sys.base_prefix, *SYSTEM)),
        *(Path(library) for library in libraries if library),
        *(Path("/proc", name) for name in ABOUT),
    ]
    devices = [*(Path("/dev", name) for name in DEVICES), *Path("/dev").glob("nvidia*")]
    # Semaphores of the processes that make batches lie in /dev/shm, under no name.
    missing = confinement.enclose(readable, [folder, Path("/dev/shm")], devices)
    return missing if alone else [*missing, "anything its earlier threads do"]
