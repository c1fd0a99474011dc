"""Process identity, by which another process on the same machine sees that a worker or a trainer is dead."""

import math
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

PROC = Path("/proc")


def machine() -> str:
    """A name that is equal for processes that can see each other's process ids. It changes with a reboot."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    booted = boot.read_text().strip() if boot.exists() else f"{psutil.boot_time():.0f}"
    # Two containers on one machine have the same boot id but different process ids.
    space = Path("/proc/self/ns/pid")
    return f"{platform.node()} {booted} {os.readlink(space) if space.exists() else ''}".strip()


def started(pid: int) -> float | None:
    """The start time of a process, in a unit of this machine; None if it is gone or a zombie.

    NaN if it exists but the time cannot be read: /proc may hide the processes of other users.
    """
    stat = PROC / str(pid) / "stat"
    if Path("/proc/self/stat").exists():
        try:
            # Fields 3 and 22, counted after the parenthesized name, which may hold anything.
            fields = stat.read_text().rpartition(")")[2].split()
            return None if fields[0] == "Z" else float(fields[19])
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return math.nan if _is_there(pid) else None
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return math.nan


def identified(pids: Iterable[int]) -> list[tuple[int, float | None]]:
    """Each process id with its start time, which distinguishes it from a later process with the same id."""
    return [(pid, started(pid)) for pid in pids]


def _is_there(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
