"""The sandbox of a trainer. The trainer can open its attempt's folder, its devices and the code, and nothing else."""

import os
import tempfile
from pathlib import Path

from athanor.processes import confinement

THREADS = Path("/proc/self/task")


def enter(folder: Path, memory: int) -> list[str]:
    """Confine this process, before it reads anything of a job. Returns what the kernel cannot prevent.

    The limits on `memory` (bytes), file sizes and core dumps apply with every kernel. Temporary files go to `folder`.
    """
    confinement.confine_training(memory)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    # Landlock applies to this thread and the threads that it starts later, not to threads that already run.
    alone = not THREADS.exists() or len(os.listdir(THREADS)) == 1
    # The attempt's folder holds the dataset and the checkpoint from which the training resumes.
    readable = [folder.parent, *confinement.code("athanor", "models", "worker")]
    devices = [*confinement.devices(), *Path("/dev").glob("nvidia*")]
    # Data workers use unnamed semaphores in /dev/shm.
    missing = confinement.enclose(readable, [folder, Path("/dev/shm")], devices)  # nosec B108 # no file is named
    return missing if alone else [*missing, "anything that its earlier threads do"]
