"""One attempt, from claim to final state: hand the job to a trainer, keep its rows, see it to its end."""

import logging
import queue
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from athanor.contract import CheckpointPolicy, JobError, better_is
from athanor.files import PREPARATION, WEIGHTS
from athanor.processes import full_disk
from models.records import attempts, checkpoints, datasets, events, jobs, metrics
from models.records.checkpoints import Stored
from models.records.database import Database, DatabaseUnavailable
from models.settings import Settings
from models.storage.store import Corrupt, Store, fetch, fetch_dataset
from worker.messages import Failed, Finished, Measured, Reached, Ready, Snapshot, Started, Stopped
from worker.supervision import process_identity
from worker.supervision.clock import uptime
from worker.supervision.heartbeat import Heartbeat
from worker.supervision.report import ProtocolError, Report
from worker.supervision.trainer_process import Exit, Heard, Line, Nonsense, TrainerProcess

logger = logging.getLogger(__name__)
T = TypeVar("T")

AWAY = 600.0
"""Seconds a supervisor holds on to what it has to ask or to write while the database is away."""


class Stalled(Exception):
    """A trainer does not answer."""


class Damaged(Exception):
    """The store no longer has what a job learns or starts from."""


class Supervisor:
    """Sees one attempt through. `draining` says whether this worker is being shut down."""

    def __init__(
        self,
        database: Database,
        store: Store,
        settings: Settings,
        claim: jobs.Claim,
        trainer: TrainerProcess,
        draining: Callable[[], bool],
    ) -> None:
        self.database, self.store, self.settings = database, store, settings
        self.claim, self.trainer, self.draining = claim, trainer, draining
        self.folder = settings.scratch / claim.job_id / f"a{claim.attempt}"
        self.room = self.folder / "trainer"
        self.policy = CheckpointPolicy.model_validate(claim.spec["checkpoints"])
        self.pulse = Heartbeat(database, settings.timing, claim.job_id, claim.attempt)
        self.report = Report(database, store, settings, claim, self.policy, self.room)
        self.max_seconds: int = claim.spec["resources"]["max_seconds"]
        self.seconds_before = 0.0
        self.stop_sent: str | None = None
        self.grace = settings.timing.stop_grace
        self.began: float | None = None
        self.verdict: Finished | Stopped | Failed | None = None

    def run(self) -> None:
        """Returns when the trainer's process is gone and the job's row says what became of it."""
        try:
            self.pulse.start()
            self.room.mkdir(parents=True)
            self._tidy(self.report.clear)
            self.seconds_before = self._patiently(self._seconds_before)
            self.trainer.send({"type": "job", **self._patiently(self._assignment)})
            code = self._follow()
            self._conclude(code)
        except jobs.LeaseLost:
            logger.warning("%s: attempt %d is fenced off", self.claim.job_id, self.claim.attempt)
        except Damaged as error:
            failure = JobError(code="data", message=str(error))
            self._give_up(lambda tx: jobs.fail(tx, self.claim.job_id, self.claim.attempt, failure))
        except Exception as error:
            # An attempt lost like any other, and a slot that lives on.
            logger.exception("%s: attempt %d cannot go on", self.claim.job_id, self.claim.attempt)
            why, blameless = _told(error), full_disk.is_to_blame(error) or isinstance(error, DatabaseUnavailable)
            self._give_up(lambda tx: self._lose(tx, why, blameless))
        finally:
            self.trainer.close()
            self.pulse.end()
            self._tidy(self.report.retire)
            self._tidy(self.report.clear)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _tidy(self, remove: Callable[[], None]) -> None:
        try:
            remove()
        except (OSError, SQLAlchemyError) as error:
            # Nobody needs them: they go with the job.
            logger.warning("%s: stored files that nobody needs stay for now: %s", self.claim.job_id, error)

    def _give_up(self, write: Callable[[Session], None]) -> None:
        """Say what became of this attempt. Where not even that can be written, its lease runs out."""
        self.trainer.close()
        with suppress(jobs.LeaseLost, SQLAlchemyError):
            self._commit(write)

    def _lose(self, tx: Session, why: str, blameless: bool = False) -> None:
        """A full disk may have room in a while, and the job did not fill it; nor did it take the database away."""
        after = self.settings.timing.no_room if blameless else None
        jobs.lose(tx, self.claim.job_id, self.claim.attempt, why, after)

    def _seconds_before(self) -> float:
        with self.database.reading() as tx:
            return attempts.seconds_spent(tx, self.claim.job_id)

    def _assignment(self) -> dict[str, Any]:
        """What the trainer is to do. May be asked for again."""
        with self.database.reading() as tx:
            dataset = datasets.get(tx, self.claim.dataset_id)
        assert dataset is not None
        rows = self._rows()
        newest = self._newest_whole()
        best = self._best(newest)
        return {
            "spec": self.claim.spec,
            "schema": dataset.schema_.model_dump(mode="json"),
            "dataset": str(rows),
            "folder": str(self.room),
            "memory": self.settings.limits.trainer_memory_bytes,
            "resume": str(self.folder / newest.id) if newest else None,
            "best": str(best) if best else None,
            "origin": self._origin(),
        }

    def _rows(self) -> Path:
        """What the job learns from, here on disk. Raises Damaged."""
        rows, dataset_id = self.folder / "dataset.parquet", self.claim.dataset_id
        try:
            fetch_dataset(self.store, self.database, dataset_id, rows)
        except Corrupt as error:
            raise Damaged(
                f"the rows of dataset {dataset_id} are lost or damaged in the store: upload the file again, "
                "which puts them back (a built-in set comes back by itself), and submit the job once more"
            ) from error
        return rows

    def _origin(self) -> dict[str, Any] | None:
        """What a fork starts with, here on disk. Raises Damaged."""
        origin = self.claim.origin
        if origin is None:
            return None
        there = self.folder / "origin"
        there.mkdir(exist_ok=True)
        try:
            for file in origin.files:
                fetch(self.store, origin.key(file.name), there / file.name, file.sha256)
        except Corrupt as error:
            raise Damaged(
                "the weights this job starts from are lost or damaged in the store: fork a checkpoint that is whole"
            ) from error
        paths = {"weights": str(there / WEIGHTS), "preparation": str(there / PREPARATION)}
        return paths | {"fresh": origin.fresh}

    def _newest_whole(self) -> Stored | None:
        """The newest checkpoint with bytes as promised, here on disk. Broken ones are marked and passed over."""
        while True:
            with self.database.reading() as tx:
                newest = checkpoints.newest(tx, self.claim.job_id)
            if newest is None:
                return None
            there = self.folder / newest.id
            there.mkdir(exist_ok=True)
            try:
                for file in newest.files:
                    fetch(self.store, newest.key(file.name), there / file.name, file.sha256)
            except Corrupt as error:
                self._mark(newest, str(error), exact=True)
            else:
                return newest

    def _mark(self, broken: Stored, why: str, exact: bool) -> None:
        """Set a broken checkpoint aside; the series then end where the newest whole one does."""
        logger.error("%s: checkpoint %s is broken: %s", self.claim.job_id, broken.id, why)
        with self.database.writing() as tx:
            jobs.beat(tx, self.claim.job_id, self.claim.attempt, self.settings.timing.lease)
            checkpoints.mark_corrupt(tx, broken.id)
            if not exact:
                jobs.note_inexact(tx, self.claim.job_id)
            earlier = checkpoints.newest(tx, self.claim.job_id)
            metrics.truncate(tx, self.claim.job_id, earlier.step if earlier else 0)
            events.note(tx, self.claim.job_id, self.claim.attempt, "warning", {"checkpoint": broken.id, "message": why})

    def _best(self, newest: Stored | None) -> Path | None:
        """Weights of the best checkpoint of this training so far, for its test."""
        if newest is None or self.policy.keep_best == 0:
            return None
        weights = self.folder / "best.safetensors"
        while True:
            with self.database.reading() as tx:
                best = checkpoints.best(tx, self.claim.job_id, better_is(self.policy.series), newest.member)
            if best is None or best.score is None:
                return None
            try:
                fetch(self.store, best.key(WEIGHTS), weights, best.file(WEIGHTS).sha256)
            except Corrupt as error:
                # Its weights are nowhere else: the second best are tested in its place.
                self._mark(best, str(error), exact=False)
            else:
                return weights

    def _follow(self) -> int:
        """Take messages until the trainer is gone. Returns its exit code. Raises Stalled, Foreign, Fenced."""
        every = self.settings.timing.flush
        flushed = turned = time.monotonic()
        silence = 0.0
        while True:
            heard: Heard | None = None
            with suppress(queue.Empty):
                heard = self.trainer.inbox.get(timeout=every)
            now = time.monotonic()
            # No longer than a turn should be: a trainer is not to blame for the time in which its last snapshot was
            # stored and the next had to wait, nor for that in which this process stood still, and it likewise.
            turn, turned = min(now - turned, 2 * every), now
            if heard is None:
                silence += turn
                self._check(silence)
            elif isinstance(heard, Exit):
                self._patiently(self.report.flush)
                return heard.code
            else:
                self._take(heard)
                silence = 0.0
            if self.pulse.lost.is_set():
                raise jobs.LeaseLost
            if self.report.is_full:
                self._patiently(self.report.flush)
            if time.monotonic() - flushed >= every:
                flushed = time.monotonic()
                self._or_later(self.report.flush)
            ran = uptime() - self.began if self.began is not None else 0.0
            self._steer(self.seconds_before + ran, turn)

    def _check(self, silence: float) -> None:
        """Raises Stalled where a trainer has said nothing for too long."""
        timing = self.settings.timing
        if silence > (timing.start if self.began is None else timing.stall):
            raise Stalled(f"the trainer said nothing for {silence:.0f} s")

    def _take(self, heard: Heard) -> None:
        match heard:
            case Started(device=device, fingerprint=fingerprint):
                self.began = uptime()
                job_id, attempt, pid = self.claim.job_id, self.claim.attempt, self.trainer.pid
                # Now: the trainer may be gone before this is written.
                at = process_identity.started(pid)
                self._commit(lambda tx: jobs.begin(tx, job_id, attempt, pid, device, fingerprint, at))
            case Measured(baseline=baseline):
                self._commit(lambda tx: jobs.note_baseline(tx, self.claim.job_id, self.claim.attempt, baseline))
            case Reached():
                self.report.points(heard)
            case Line(text=text):
                self.report.line(text)
            case Snapshot():
                self._patiently(lambda: self.report.checkpoint(heard))
            case Finished() | Stopped() | Failed():
                self.verdict = heard
            case Nonsense(why=why):
                raise ProtocolError(f"the trainer said what no trainer says: {why}")
            case Ready() | Exit():
                pass

    def _steer(self, seconds: float, turn: float) -> None:
        """Pass on what the user, the worker or the clock wants; insist after the grace."""
        if self.stop_sent is not None:
            self.grace -= turn
        wish = "cancel" if "cancel" in (self.pulse.desired, self.report.desired) else None
        wish = wish or ("pause" if "pause" in (self.pulse.desired, self.report.desired) else None)
        wish = wish or ("drain" if self.draining() else None)
        wish = wish or ("limit" if seconds > self.max_seconds else None)
        if wish is not None and wish != self.stop_sent and self.stop_sent != "cancel":
            self.trainer.send({"type": "stop", "why": wish})
            self.stop_sent = wish
        if self.grace < 0:
            self.trainer.kill()

    def _conclude(self, code: int) -> None:
        """The last transition. The process is gone by now."""
        job_id, attempt = self.claim.job_id, self.claim.attempt
        verdict = self.verdict

        def conclude(tx: Session) -> None:
            match verdict:
                case Finished():
                    jobs.succeed(tx, job_id, attempt)
                case Failed(retryable=True):
                    self._lose(tx, verdict.message, verdict.code == full_disk.CODE)
                case Failed():
                    jobs.fail(tx, job_id, attempt, JobError(code=verdict.code, message=verdict.message))
                case _ if self.stop_sent == "limit":
                    limit = f"the job ran longer than resources.max_seconds = {self.max_seconds}"
                    message = f"{limit}: submit it with a larger one, or fork its last checkpoint"
                    jobs.fail(tx, job_id, attempt, JobError(code="max_seconds", message=message))
                case _ if self.stop_sent is not None or isinstance(verdict, Stopped):
                    jobs.release(tx, job_id, attempt, self.stop_sent == "drain")
                case _:
                    self._lose(tx, _death(code))

        self._commit(conclude)

    def _commit(self, write: Callable[[Session], None]) -> None:
        """A transaction that must not be lost."""

        def commit() -> None:
            with self.database.writing() as tx:
                write(tx)

        self._patiently(commit)

    def _or_later(self, write: Callable[[], None]) -> None:
        """Try a write that the next one makes up for."""
        try:
            write()
        except DatabaseUnavailable as error:
            logger.warning("%s: the database is away (%s)", self.claim.job_id, error)

    def _patiently(self, ask: Callable[[], T]) -> T:
        """What must not fail for want of the database: repeated while it is away."""
        until = time.monotonic() + AWAY
        while True:
            try:
                return ask()
            except DatabaseUnavailable as error:
                if time.monotonic() > until:
                    raise
                logger.warning("%s: the database is away (%s)", self.claim.job_id, error)
                time.sleep(1)


def _told(error: Exception) -> str:
    """What a user hears of a fault. Statements, addresses and paths are for the log alone."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if full_disk.is_to_blame(error):
        return "the database has no room"
    if isinstance(error, DatabaseUnavailable):
        return "the database was away for too long"
    if isinstance(error, Stalled | ProtocolError):
        return str(error)
    return f"a fault of the service, {type(error).__name__}; its log has more"


def _death(code: int) -> str:
    return f"the trainer was killed by signal {-code}" if code < 0 else f"the trainer ended with exit code {code}"
