"""Bytes that no row names: left by a process that was killed between the bytes and their row."""

import logging
import math
import re
import threading
import time
from collections import defaultdict

from models.records import references
from models.records.database import Database
from models.records.ids import born
from models.settings import Timing
from models.storage.store import Store

logger = logging.getLogger(__name__)

MOST = 5000
"""Uploads and jobs that are looked at in one pass; the next goes on where it ended."""

OURS = re.compile(
    r"(?P<upload>datasets/\.?put_[0-9a-f]{32}(\.[0-9a-f]{16}\.part)?)"
    r"|(?P<job>jobs/job_[0-9a-f]{32})/(?P<place>origin|a\d+/step-\d+(?:-member-\d+)?)/[^/]+"
)
"""Keys of the forms that the service gives. Whatever else lies in the store is not touched."""


class GarbageCollector:
    """Looks through the store, and removes what no row has named for `Timing.orphan` seconds.

    Bytes come before their row and go after it, so what has none may be about to get one. How long it has had none is
    counted from when this process first saw it so. Once `stopping` is set nothing more is removed.
    """

    name = "garbage_collector"

    def __init__(
        self, database: Database, store: Store, timing: Timing, stopping: threading.Event | None = None
    ) -> None:
        self.database, self.store, self.timing = database, store, timing
        self.interval = timing.inventory
        self.stopping = stopping or threading.Event()
        self._unnamed: dict[str, float] = {}
        """What no row names, and since when."""
        self._after = ""

    def run(self) -> None:
        """One pass. Any number of workers may do so at once."""
        # Before the tables are read: should all stand still after that, rows may come that were not seen.
        now = time.monotonic()
        unnamed = self._look()
        for name in unnamed:
            if self.stopping.is_set():
                return
            if now - self._unnamed[name] > self.timing.orphan:
                try:
                    self.store.delete(name)
                except OSError as error:
                    # Another's, perhaps: it must not keep the rest from going.
                    logger.warning("%s: no row has named it for long, and it cannot be removed: %s", name, error)
                else:
                    del self._unnamed[name]
                    logger.warning("%s: no row has named it for long; removed", name)

    def _look(self) -> list[str]:
        """What in the next part of the store no row names."""
        # The store first: whatever gets its row from now on is seen with it.
        stored = self._stored()
        part = [owner for owner in sorted(stored) if owner > self._after][:MOST]
        self._after = part[-1] if len(part) == MOST else ""
        ids = [owner.removeprefix("jobs/") for owner in part if owner.startswith("jobs/")]
        with self.database.reading() as tx:
            blobs, jobs = references.blobs(tx, part), references.jobs(tx, ids)
            prefixes, began = references.checkpoints(tx, ids), references.since(tx)
        unnamed = []
        for owner in part:
            if owner.startswith("datasets/"):
                unnamed += [owner] * (owner not in blobs)
            elif owner.removeprefix("jobs/") not in jobs:
                unnamed.append(owner)
            else:
                unnamed += sorted(stored[owner] - prefixes - {f"{owner}/origin"})
        # An empty or another database names nothing: what is older than it is not its to judge.
        unnamed = [name for name in unnamed if began is not None and born(name) >= math.floor(1000 * began)]
        others = stored.keys() - part
        elsewhere = {name: at for name, at in self._unnamed.items() if _owner(name) in others}
        self._unnamed = elsewhere | {name: self._unnamed.get(name, time.monotonic()) for name in unnamed}
        return unnamed

    def _stored(self) -> dict[str, set[str]]:
        """Uploads, and jobs with the folders of theirs that have files."""
        found: dict[str, set[str]] = defaultdict(set)
        for key in (*self.store.keys("datasets"), *self.store.keys("jobs")):
            if ours := OURS.fullmatch(key):
                if ours["upload"]:
                    found[key].add(key)
                else:
                    found[ours["job"]].add(f"{ours['job']}/{ours['place']}")
        return found


def _owner(name: str) -> str:
    return "/".join(name.split("/")[:2])
