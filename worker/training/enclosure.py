"""What a trainer may touch: its attempt's folder, its devices, the code it runs. No database, no key, no network."""

import os
import tempfile
from pathlib import Path

from athanor.processes import confinement

THREADS = Path("/proc/self/task")


def enter(folder: Path, memory: int) -> list[str]:
    """Before anything of a job is looked at. Returns what the kernel cannot keep this process from.

    The bounds on `memory`, in bytes, and on files and cores hold in any case. Where libraries look for a place to
    write, they find `folder`.
    """
    confinement.confine_training(memory)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    # A thread is held by what it or its starter entered, and by nothing that another did.
    alone = not THREADS.exists() or len(os.listdir(THREADS)) == 1
    # The attempt's folder holds the dataset, and what the training goes on from.
    readable = [folder.parent, *confinement.code("athanor", "models", "worker")]
    devices = [*confinement.devices(), *Path("/dev").glob("nvidia*")]
    # Semaphores of the processes that make batches lie in /dev/shm, under no name.
    missing = confinement.enclose(readable, [folder, Path("/dev/shm")], devices)
    return missing if alone else [*missing, "anything its earlier threads do"]
