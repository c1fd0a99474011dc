"""Numbers of threads that were found by trying, so that equal trainings on this machine compute with equal ones.

With another number the bits of a result differ, and a trial may end otherwise when the machine is busy.
"""

import hashlib
import json
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


class ThreadChoices:
    """A file in `folder` for each kind of training and number of processors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, spec: dict[str, Any], processors: int) -> int | None:
        """The number that was kept for such a training; None for a new kind, or if the file is damaged."""
        with suppress(OSError, ValueError):
            return int(self._path(spec, processors).read_text())
        return None

    def keep(self, spec: dict[str, Any], processors: int, threads: int) -> None:
        """Keep what a trial has found, unless another trial was earlier. Without room, the next job tries again."""
        if self.of(spec, processors) is not None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, written = tempfile.mkstemp(dir=self.folder)
            with os.fdopen(handle, "w") as file:
                file.write(str(threads))
            os.replace(written, self._path(spec, processors))
        except OSError as error:
            logger.warning("the number of threads that a trial found could not be kept: %s", error)

    def _path(self, spec: dict[str, Any], processors: int) -> Path:
        """`spec` is a resolved one. Seeds, splits, lengths, rates and policies do not change how long a step takes."""
        hyperparameters = spec["hyperparameters"]
        kind = [
            spec["architecture"],
            {name: value for name, value in spec["dataset"].items() if name != "split"},
            [hyperparameters.get(name) for name in ("batch_size", "accumulate", "precision", "augmentations", "ema")],
            (hyperparameters.get("optimizer") or {}).get("kind"),
            spec.get("resources", {}).get("engine"),
            processors,
        ]
        return self.folder / hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()
