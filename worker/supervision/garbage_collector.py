"""The garbage collector deletes stored files without a row. A killed process may leave such files behind."""

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
"""The largest number of uploads and jobs in one pass; the next pass continues after them."""

OURS = re.compile(
    r"(?P<upload>datasets/\.?put_[0-9a-f]{32}(\.[0-9a-f]{16}\.part)?)"
    r"|(?P<job>jobs/job_[0-9a-f]{32})/(?P<place>origin|a\d+/step-\d+(?:-member-\d+)?)/[^/]+"
)
"""The keys that the service makes. Anything else in the store is left alone."""


class GarbageCollector:
    """Deletes stored files that no row has named for `Timing.orphan` seconds.

    A file is stored before its row is written, so a file without a row may soon get one. The time starts when this
    process first sees the file without a row. Nothing is deleted after `stopping` is set.
    """

    name = "garbage_collector"

    def __init__(
        self, database: Database, store: Store, timing: Timing, stopping: threading.Event | None = None
    ) -> None:
        self.database, self.store, self.timing = database, store, timing
        self.interval = timing.inventory
        self.stopping = stopping or threading.Event()
        self._unnamed: dict[str, float] = {}
        """Files that no row names, and the time since when."""
        self._after = ""

    def run(self) -> None:
        """Do one pass. Several workers may do a pass at once."""
        # Read before the tables: if this process is then suspended, rows may be added that it does not see.
        now = time.monotonic()
        unnamed = self._look()
        for name in unnamed:
            if self.stopping.is_set():
                return
            if now - self._unnamed[name] > self.timing.orphan:
                try:
                    self.store.delete(name)
                except OSError as error:
                    # A file that cannot be deleted must not prevent the deletion of the others.
                    logger.warning("the unused stored file %s cannot be deleted: %s", name, error)
                else:
                    del self._unnamed[name]
                    logger.warning("deleted the unused stored file %s", name)

    def _look(self) -> list[str]:
        """The files without a row in the next part of the store."""
        # The store is listed first: a file that gets its row after that is seen with its row.
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
        # The database may be empty, or the wrong one. Files that are older than it are kept.
        unnamed = [name for name in unnamed if began is not None and born(name) >= math.floor(1000 * began)]
        others = stored.keys() - part
        elsewhere = {name: at for name, at in self._unnamed.items() if _owner(name) in others}
        self._unnamed = elsewhere | {name: self._unnamed.get(name, time.monotonic()) for name in unnamed}
        return unnamed

    def _stored(self) -> dict[str, set[str]]:
        """The stored folders by owner. An owner is an upload, which is its own folder, or a job."""
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
