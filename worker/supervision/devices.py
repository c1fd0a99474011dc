"""The devices of this host, as nvidia-smi lists them. This process must not initialize CUDA."""

import os
import platform
import shutil
import subprocess
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from athanor.contract import Device


def visible() -> list[Device]:
    """The CUDA devices of this host, or its CPU if there are none. `CUDA_VISIBLE_DEVICES` applies as for CUDA."""
    tool = shutil.which("nvidia-smi")
    found: list[Device] = []
    if tool is not None and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        asked = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
        listed = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=False)
        for line in listed.stdout.splitlines() if listed.returncode == 0 else []:
            name, _, mebibytes = line.rpartition(",")
            found.append(Device(kind="cuda", name=name.strip(), memory_bytes=int(mebibytes) * 2**20))
    numbers = cuda_numbers(len(found))
    return found[: len(numbers)] or [Device(kind="cpu", name=platform.processor() or platform.machine())]


def processors(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The processors that this process may use: those of its affinity, and those of a container's quota.

    Source of the quota: Linux kernel, admin-guide/cgroup-v2, `cpu.max`.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        most, period = quota.read_text().split()
        allowed = min(allowed, max(1, int(most) // int(period)))
    return allowed


def cuda_numbers(count: int) -> list[str]:
    """The value of `CUDA_VISIBLE_DEVICES` for the trainer of each slot."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return [str(number) for number in range(count)]
    entries = [entry.strip() for entry in allowed.split(",") if entry.strip()]
    # As in CUDA, an invalid entry, usually -1, hides itself and all that follow.
    return list(takewhile(lambda entry: not entry.startswith("-"), entries))[:count]
