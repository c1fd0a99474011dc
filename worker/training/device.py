"""Devices: prepare a device for a trainer, and describe it."""

import hashlib
import platform
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]


def prepare(seed: int, wanted: str) -> torch.device:
    """Choose the device; set seeds and deterministic algorithms. Raises RuntimeError if CUDA is wanted but absent."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("the job needs a CUDA device, but this worker has none")
    device = torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # Some CUDA kernels have no deterministic version. On CUDA PyTorch warns about them and does not fail.
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    # Filling new tensors takes a tenth of a step's time, and no code here reads uninitialized memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    return device


def fingerprint(device: torch.device) -> dict[str, Any]:
    """The environment of a training. A resume is bit-exact only in an equal environment."""
    return {
        "code": CODE,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "machine": platform.machine(),
        "processor": processor(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "features": features(),
        "threads": torch.get_num_threads(),
        "device": name_of(device),
    }


def name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def processor(about: Path = Path("/proc/cpuinfo")) -> str:
    """The model of the CPU from the file `about`. Libraries choose their kernels by it."""
    try:
        first, _, _ = about.read_text().partition("\n\n")
    except OSError:
        return platform.processor() or platform.machine()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    # A virtual machine may hide the name, and ARM has none. So the numbers are included.
    named = ("model name", "cpu family", "model", "CPU implementer", "CPU variant", "CPU part")
    return ", ".join(fields[name] for name in named if name in fields) or platform.machine()


def features() -> str:
    """Features and cache sizes of the CPU. Libraries choose kernels and block sizes by them."""
    known = torch.cpu.get_capabilities()
    able = sorted(name for name, value in known.items() if value is True)
    return " ".join([*able, *(f"{name}={known[name]}" for name in sorted(known) if name.endswith("cache_size"))])


def code(root: Path) -> str:
    """SHA-256 of the names and bytes of all Python files in `athanor`, `models` and `worker` below `root`."""
    digest = hashlib.sha256()
    rooms = ("athanor", "models", "worker")
    for path in sorted(path for room in rooms for path in (root / room).rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


CODE = code(ROOT)
"""Computed at import: the files may change while a trainer waits for a job."""
