"""Numbers of threads that were found by trying, so that equal trainings on this machine compute with equal ones.

With another number the bits of a result differ, and a trial may end otherwise when the machine is busy.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


class ThreadChoices:
    """A file in `folder` for each kind of training and number of processors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, spec: dict[str, Any], processors: int) -> int | None:
        """The number that was kept for such a training; None for a new kind."""
        with suppress(OSError, ValueError):
            return int(self._path(spec, processors).read_text())
        return None

    def keep(self, spec: dict[str, Any], processors: int, threads: int) -> None:
        """Keep what a trial has found, unless another trial was earlier."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(spec, processors)
        written = path.with_suffix(f".{os.getpid()}")
        written.write_text(str(threads))
        with suppress(FileExistsError):
            os.link(written, path)
        written.unlink()

    def _path(self, spec: dict[str, Any], processors: int) -> Path:
        """`spec` is a resolved one. Seeds, lengths, rates and policies do not change how long a step takes."""
        hyperparameters = spec["hyperparameters"]
        kind = [
            spec["architecture"],
            spec["dataset"],
            [hyperparameters.get(name) for name in ("batch_size", "precision", "augmentations", "ema")],
            (hyperparameters.get("optimizer") or {}).get("kind"),
            processors,
        ]
        return self.folder / hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()
