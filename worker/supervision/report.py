"""The report of an attempt: points, log lines and checkpoints, written while the attempt holds the lease."""

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
"""Points that are kept while the database is unavailable. Then the pipe fills up and the trainer waits."""

MOST_SERIES = 5000
"""The largest number of series of a job; a cross-validation with a hundred folds has about two thousand."""


class Report:
    """Writes the rows of one attempt. After the attempt has lost its lease, every write raises jobs.LeaseLost."""

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
        """The number of log lines of the job in the database; None before this attempt writes its first ones."""
        self._progress: tuple[int, float, float | None] | None = None

    def points(self, reached: PointBatch) -> None:
        """Keep a batch of points. Raises ProtocolError if a series goes back, or if there are too many series."""
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
        """Whether the kept points should be written before more are accepted."""
        return self._gathered > MOST_GATHERED

    def line(self, text: str) -> None:
        """Keep a line of the trainer's output, unless the log is full."""
        if (self._lines_written or 0) + len(self._lines) < self.settings.limits.max_log_lines:
            self._lines.append(text)

    def flush(self) -> None:
        """Write what is kept. After a database error it is kept for the next flush."""
        if not (self._points or self._lines or self._progress):
            return
        with self.database.writing() as tx:
            self._write(tx)
        self._forget()

    def checkpoint(self, snapshot: Snapshot) -> None:
        """Store a snapshot's files, then commit its row with all points up to its step. Raises ProtocolError."""
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
            # The new checkpoint is safe. The old ones are marked, and deleted after the next checkpoint.
            logger.warning("%s: old checkpoints could not be deleted yet: %s", self.job_id, error)

    def clear(self) -> None:
        """Delete stored files without a row, of this and earlier attempts only: a later one may soon write its row."""
        with self.database.reading() as tx:
            known = checkpoints.prefixes(tx, self.job_id)
        job = f"jobs/{self.job_id}"
        stored = {key.rpartition("/")[0] for key in self.store.keys(job)}
        for orphan in stored - known:
            # Only folders of this form: a stray file beside checkpoints must not cause their deletion.
            attempt = re.fullmatch(rf"{job}/a(\d+)/step-\d+(-member-\d+)?", orphan)
            if attempt and int(attempt[1]) <= self.attempt:
                self.store.delete(orphan)

    def _take_over(self, name: str, files: list[CheckpointFile]) -> Path:
        """Move a snapshot out of the trainer's reach, and check that it is what was announced. Raises ProtocolError.

        A trainer is not trusted: with a link it could publish any file as its checkpoint.
        """
        folder = self.trainer_folder.with_name(name)
        if not folder.exists():
            (self.trainer_folder / name).rename(folder)
        if folder.is_symlink() or sorted(file.name for file in files) != sorted(FILES):
            raise ProtocolError(f"{folder.name} is not a snapshot")
        for file in files:
            path = folder / file.name
            if path.is_symlink() or not path.is_file():
                raise ProtocolError(f"{folder.name}/{file.name} is not a regular file")
        return folder

    def _store(self, prefix: str, folder: Path, files: list[CheckpointFile]) -> None:
        for file in files:
            # Compare the digest of the stored bytes: the trainer may still have the file open and write to it.
            key = f"{prefix}/{file.name}"
            if self.store.put(key, folder / file.name) != file.sha256 or self.store.size(key) != file.bytes:
                self.store.delete(prefix)
                raise ProtocolError(f"{folder.name}/{file.name} differs from the digest or the size that was announced")

    def _write(self, tx: Session) -> None:
        self.desired = jobs.beat(tx, self.job_id, self.attempt, self.settings.timing.lease, self._progress)
        metrics.append(tx, self.job_id, {name: join(parts) for name, parts in self._points.items()})
        self.write_lines(tx)

    def write_lines(self, tx: Session) -> None:
        """Write the kept log lines. The caller's transaction holds the lease."""
        if not self._lines:
            return
        most, written = self.settings.limits.max_log_lines, events.count(tx, self.job_id, "log")
        if self._lines_written is None:
            self._lines_written = written
        # Some lines may be written already, if the answer to a commit was lost.
        new = self._lines[max(0, written - self._lines_written) :]
        for number, line in enumerate(new[: max(0, most - written)], written + 1):
            text = line if number < most else "… the log is full"
            events.note(tx, self.job_id, self.attempt, "log", {"line": text})

    def _forget(self) -> None:
        self._points.clear()
        self._gathered = 0
        if self._lines_written is not None:
            self._lines_written += len(self._lines)
        self._lines.clear()
        self._progress = None

    def retire(self) -> None:
        """Delete the checkpoints that the policy does not keep, and those that an earlier call could not delete."""
        policy = self.policy
        assert policy.mode
        with self.database.writing() as tx:
            gone = checkpoints.retire(tx, self.job_id, policy.keep_last, policy.keep_best, policy.mode)
        for old in gone:
            self.store.delete(old.prefix)
            with self.database.writing() as tx:
                checkpoints.forget(tx, old.id)
