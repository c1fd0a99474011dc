"""What a trainer says, as rows: points and log lines in one fenced transaction, checkpoints behind their bytes."""

import logging
import re
import shutil
from collections import defaultdict
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from athanor.contract import CheckpointFile, CheckpointPolicy
from athanor.files import FILES
from models.records import checkpoints, events, jobs, metrics
from models.records.chunks import Points, join
from models.records.database import Database
from models.settings import Settings
from models.storage.store import Store
from worker.messages import PointBatch, ProtocolError, Snapshot

logger = logging.getLogger(__name__)

MOST_GATHERED = 1_000_000
"""Points held back while the database is away; then the trainer waits, its pipe being full."""

MOST_SERIES = 5000
"""Of one job; a cross-validation of a hundred folds has some two thousand."""


class Report:
    """The rows of one attempt. Everything it writes is refused once the attempt is fenced off (jobs.LeaseLost)."""

    def __init__(
        self,
        database: Database,
        store: Store,
        settings: Settings,
        claim: jobs.Claim,
        policy: CheckpointPolicy,
        trainer_folder: Path,
    ) -> None:
        self.database, self.store, self.settings = database, store, settings
        self.job_id, self.attempt, self.policy = claim.job_id, claim.attempt, policy
        self.trainer_folder = trainer_folder
        self.desired = "run"
        self._points: dict[str, list[Points]] = defaultdict(list)
        self._gathered = 0
        self._last: dict[str, int] = {}
        self._lines: list[str] = []
        self._lines_written: int | None = None
        """Of the job; not known before the first of this attempt are."""
        self._progress: tuple[int, float, float | None] | None = None

    def points(self, reached: PointBatch) -> None:
        """Take a batch of points. Raises ProtocolError where a series goes back, or there are more than any job has."""
        self._progress = (reached.step, reached.epoch, reached.eta)
        for own, columns in reached.series.items():
            name, steps = metrics.series_name(own, reached.member), columns[0]
            if steps[0] <= self._last.get(name, -1):
                raise ProtocolError(f"{name} goes back to step {steps[0]}")
            self._last[name] = steps[-1]
            if len(self._last) > MOST_SERIES:
                raise ProtocolError(f"there are too many series: {name} is one more than {MOST_SERIES}")
            self._points[name].append(Points.of(*columns))
            self._gathered += len(steps)

    @property
    def is_full(self) -> bool:
        """So much has gathered that nothing more should be taken in before it is written."""
        return self._gathered > MOST_GATHERED

    def line(self, text: str) -> None:
        """Take a line of the trainer's output, as long as there may be room for it."""
        if (self._lines_written or 0) + len(self._lines) < self.settings.limits.max_log_lines:
            self._lines.append(text)

    def flush(self) -> None:
        """Write what has gathered. On a database error nothing is forgotten; it goes with the next flush."""
        if not (self._points or self._lines or self._progress):
            return
        with self.database.writing() as tx:
            self._write(tx)
        self._forget()

    def checkpoint(self, snapshot: Snapshot) -> None:
        """Put the files away, then commit their row together with every point up to its step. Raises ProtocolError."""
        files = [CheckpointFile(name=file.name, bytes=file.bytes, sha256=file.sha256) for file in snapshot.files]
        folder = self._take_over(snapshot.folder, files)
        prefix = f"jobs/{self.job_id}/a{self.attempt}/{snapshot.folder}"
        self._store(prefix, folder, files)
        new = checkpoints.New(
            step=snapshot.step,
            epoch=snapshot.epoch,
            reason=snapshot.reason,
            score=snapshot.score,
            member=snapshot.member,
            prefix=prefix,
            files=files,
        )
        with self.database.writing() as tx:
            self._write(tx)
            jobs.commit_checkpoint(tx, self.job_id, self.attempt, new)
        self._forget()
        shutil.rmtree(folder, ignore_errors=True)
        try:
            self.retire()
        except (OSError, SQLAlchemyError) as error:
            # The new one is safe; the old ones are marked, and go with the next.
            logger.warning("%s: old checkpoints stay for now: %s", self.job_id, error)

    def clear(self) -> None:
        """Remove what attempts up to this one stored and no row knows of; a later one may be about to write its row."""
        with self.database.reading() as tx:
            known = checkpoints.prefixes(tx, self.job_id)
        job = f"jobs/{self.job_id}"
        stored = {key.rpartition("/")[0] for key in self.store.keys(job)}
        for orphan in stored - known:
            # Nothing else: a file that a desktop left beside checkpoints would have them all removed.
            attempt = re.fullmatch(rf"{job}/a(\d+)/step-\d+(-member-\d+)?", orphan)
            if attempt and int(attempt[1]) <= self.attempt:
                self.store.delete(orphan)

    def _take_over(self, name: str, files: list[CheckpointFile]) -> Path:
        """Move a snapshot out of the trainer's reach, and see that it is what was announced. Raises ProtocolError.

        Of a trainer nothing is believed: a link would have us publish whatever it points to.
        """
        folder = self.trainer_folder.with_name(name)
        if not folder.exists():
            (self.trainer_folder / name).rename(folder)
        if folder.is_symlink() or sorted(file.name for file in files) != sorted(FILES):
            raise ProtocolError(f"{folder.name} is no snapshot")
        for file in files:
            path = folder / file.name
            if path.is_symlink() or not path.is_file():
                raise ProtocolError(f"{folder.name}/{file.name} is no file of the trainer's own")
        return folder

    def _store(self, prefix: str, folder: Path, files: list[CheckpointFile]) -> None:
        for file in files:
            # Of the bytes that were stored: the trainer may hold the file open, and write to it still.
            key = f"{prefix}/{file.name}"
            if self.store.put(key, folder / file.name) != file.sha256 or self.store.size(key) != file.bytes:
                self.store.delete(prefix)
                raise ProtocolError(f"{folder.name}/{file.name} is not what the trainer said it wrote")

    def _write(self, tx: Session) -> None:
        self.desired = jobs.beat(tx, self.job_id, self.attempt, self.settings.timing.lease, self._progress)
        metrics.append(tx, self.job_id, {name: join(parts) for name, parts in self._points.items()})
        self.write_lines(tx)

    def write_lines(self, tx: Session) -> None:
        """Lines alone, in a transaction that is refused once the attempt has lost its lease."""
        if not self._lines:
            return
        most, written = self.settings.limits.max_log_lines, events.count(tx, self.job_id, "log")
        if self._lines_written is None:
            self._lines_written = written
        # Where the answer to a commit was lost, some are there already.
        new = self._lines[max(0, written - self._lines_written) :]
        for number, line in enumerate(new[: max(0, most - written)], written + 1):
            said = line if number < most else "… no room for further lines"
            events.note(tx, self.job_id, self.attempt, "log", {"line": said})

    def _forget(self) -> None:
        self._points.clear()
        self._gathered = 0
        if self._lines_written is not None:
            self._lines_written += len(self._lines)
        self._lines.clear()
        self._progress = None

    def retire(self) -> None:
        """Remove the checkpoints that the policy keeps no longer, and what an earlier try of that left."""
        policy = self.policy
        assert policy.mode
        with self.database.writing() as tx:
            gone = checkpoints.retire(tx, self.job_id, policy.keep_last, policy.keep_best, policy.mode)
        for old in gone:
            self.store.delete(old.prefix)
            with self.database.writing() as tx:
                checkpoints.forget(tx, old.id)
