"""Who a worker process is, so that another on the same machine can tell that it is dead."""

import math
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

PROC = Path("/proc")


def machine() -> str:
    """Equal for two processes that can see each other's process ids, and changed by a reboot."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    booted = boot.read_text().strip() if boot.exists() else f"{psutil.boot_time():.0f}"
    # Two containers on one machine share the boot, not the process ids.
    space = Path("/proc/self/ns/pid")
    return f"{platform.node()} {booted} {os.readlink(space) if space.exists() else ''}".strip()


def started(pid: int) -> float | None:
    """When a process began, in a unit of this machine's own; None where it is gone, reaped by its parent or not.

    NaN where it is there and its beginning is not to be seen: /proc may hide what belongs to other users.
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
    """Each process with when it began: what tells it from a later one with the same number."""
    return [(pid, started(pid)) for pid in pids]


def _is_there(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True
