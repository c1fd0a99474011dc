"""Result files: the measured values, the machine and the versions."""

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def write(name: str, measured: dict[str, Any]) -> None:
    FOLDER.mkdir(exist_ok=True)
    document = {"machine": machine(), "measured": measured}
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
    print(f"{name}: {json.dumps(measured, indent=2)}")
