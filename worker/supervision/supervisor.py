"""Supervise one attempt, from the claim to its end: give the job to a trainer and write what it reports."""

import logging
import queue
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from athanor.contract import CheckpointPolicy, Finding, JobError, Warned
from athanor.processes import full_disk
from athanor.processes.left_behind import remove
from models.records import attempts, data_warnings, jobs
from models.records.database import Database, DatabaseUnavailable
from models.records.queue import UNKNOWN_PART
from models.settings import Settings
from models.storage.store import Store
from worker.messages import (
    BaselineResult,
    Completion,
    DataWarnings,
    Failure,
    PointBatch,
    ProtocolError,
    Readiness,
    Settlement,
    Snapshot,
    Start,
    Stop,
)
from worker.supervision import findings, process_identity
from worker.supervision.clock import uptime
from worker.supervision.database_retry import DatabaseRetry
from worker.supervision.heartbeat import Heartbeat
from worker.supervision.milestones import Milestones
from worker.supervision.report import Report
from worker.supervision.staging import DamagedInput, Staging
from worker.supervision.trainer_process import Exit, Heard, Line, ProtocolViolation, TrainerProcess

logger = logging.getLogger(__name__)


class Stalled(Exception):
    """A trainer has sent nothing for too long."""


class Supervisor:
    """Supervises one attempt, which may use so many `processors`.

    `draining` says whether this worker is shutting down.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        settings: Settings,
        claim: jobs.Claim,
        trainer: TrainerProcess,
        draining: Callable[[], bool],
        processors: int = 1,
    ) -> None:
        self.database, self.store, self.settings = database, store, settings
        self.claim, self.trainer, self.draining = claim, trainer, draining
        self.folder = settings.scratch / claim.job_id / f"a{claim.attempt}"
        spec = claim.resolved["spec"]
        policy = CheckpointPolicy.model_validate(spec["checkpoints"])
        self.retry = DatabaseRetry(database, claim.job_id)
        self.heartbeat = Heartbeat(database, settings.timing, claim.job_id, claim.attempt)
        self.staging = Staging(database, store, settings, claim, policy, self.folder, processors)
        self.report = Report(database, store, settings, claim, policy, self.folder / "trainer")
        self.milestones = Milestones(self.report.line, claim.attempt)
        self.max_seconds: int = spec["resources"]["max_seconds"]
        self.seconds_before = 0.0
        self.stop_sent: str | None = None
        self.grace = settings.timing.stop_grace
        self.began: float | None = None
        self.verdict: Completion | Stop | Failure | None = None

    def run(self) -> None:
        """Run the attempt. Returns when the trainer's process is gone and the job's row has its new state."""
        try:
            self.heartbeat.start()
            self.report.trainer_folder.mkdir(parents=True)
            self._tidy(self.report.clear)
            self.seconds_before = self.retry.call(self._seconds_spent)
            staged = self.retry.call(lambda: self.staging.stage(self.report.trainer_folder))
            self.milestones.staged(staged, self.claim.dataset_id)
            self.trainer.send({"type": "job", **staged.assignment})
            code = self._follow()
            self._conclude(code)
        except jobs.LeaseLost:
            logger.warning("%s: attempt %d lost its lease", self.claim.job_id, self.claim.attempt)
        except DamagedInput as error:
            failure = JobError(code="data", message=str(error))
            self._give_up(str(error), lambda tx: jobs.fail(tx, self.claim.job_id, self.claim.attempt, failure))
        except Exception as error:
            # The attempt is lost, but the slot must continue.
            logger.exception("%s: attempt %d cannot go on", self.claim.job_id, self.claim.attempt)
            why, blameless = _cause(error), full_disk.is_to_blame(error) or isinstance(error, DatabaseUnavailable)
            self._give_up(why, lambda tx: self._lose(tx, why, blameless))
        finally:
            self.trainer.close()
            self.heartbeat.end()
            self._tidy(self.report.retire)
            self._tidy(self.report.clear)
            remove(self.folder)

    def _tidy(self, remove: Callable[[], None]) -> None:
        try:
            remove()
        except (OSError, SQLAlchemyError) as error:
            # The files are deleted with the job at the latest.
            logger.warning("%s: unused stored files could not be deleted yet: %s", self.claim.job_id, error)

    def _give_up(self, why: str, write: Callable[[Session], None]) -> None:
        """Write how this attempt ended. If that fails too, the lease expires."""
        self.trainer.close()
        self.milestones.ended(None, why)

        def give_up(tx: Session) -> None:
            self.report.write_lines(tx)
            write(tx)

        with suppress(jobs.LeaseLost, SQLAlchemyError):
            self.retry.commit(give_up)

    def _lose(self, tx: Session, why: str, blameless: bool = False) -> None:
        """`blameless`: the loss, such as by a full disk or a database outage, does not count against the job."""
        after = self.settings.timing.no_room if blameless else None
        jobs.lose(tx, self.claim.job_id, self.claim.attempt, why, after)

    def _seconds_spent(self) -> float:
        with self.database.reading() as tx:
            return attempts.seconds_spent(tx, self.claim.job_id)

    def _follow(self) -> int:
        """Handle messages until the trainer is gone. Returns its exit code.

        Raises Stalled, ProtocolError, LeaseLost.
        """
        every = self.settings.timing.flush
        flushed = turned = time.monotonic()
        silence = 0.0
        while True:
            heard: Heard | None = None
            with suppress(queue.Empty):
                heard = self.trainer.inbox.get(timeout=every)
            now = time.monotonic()
            # Count at most two intervals. More time has passed if this process stored a snapshot, or if it and the
            # trainer were suspended. The trainer is not to blame for that.
            turn, turned = min(now - turned, 2 * every), now
            if heard is None:
                silence += turn
                self._check(silence)
            elif isinstance(heard, Exit):
                self.milestones.ended(self.verdict, _exit_reason(heard.code))
                self.retry.call(self.report.flush)
                return heard.code
            else:
                self._take(heard)
                silence = 0.0
            if self.heartbeat.lost.is_set():
                raise jobs.LeaseLost
            if self.report.is_full:
                self.retry.call(self.report.flush)
            if time.monotonic() - flushed >= every:
                flushed = time.monotonic()
                self.retry.once(self.report.flush)
            ran = uptime() - self.began if self.began is not None else 0.0
            self._steer(self.seconds_before + ran, turn)

    def _check(self, silence: float) -> None:
        """Raises Stalled if the trainer has sent nothing for too long. `silence` is in seconds."""
        timing = self.settings.timing
        if silence > (timing.start if self.began is None else timing.stall):
            raise Stalled(f"the trainer sent nothing for {silence:.0f} s")

    def _take(self, heard: Heard) -> None:
        match heard:
            case Start(device=device, fingerprint=fingerprint):
                self.began = uptime()
                job_id, attempt = self.claim.job_id, self.claim.attempt
                # Read the start times now: the trainer may be gone before the commit.
                processes = process_identity.identified(self.trainer.pids)
                self.retry.commit(lambda tx: jobs.begin(tx, job_id, attempt, processes, device, fingerprint))
                self.milestones.began(device)
            case Settlement(threads=threads, is_tried=is_tried):
                self.retry.commit(lambda tx: self.staging.settle_threads(tx, threads))
                self.milestones.settled(threads)
                if is_tried:
                    self.staging.keep_threads(threads)
            case BaselineResult(baseline=baseline):
                self.retry.commit(lambda tx: jobs.note_baseline(tx, self.claim.job_id, self.claim.attempt, baseline))
            case DataWarnings(warnings=found):
                warned = [Warned.model_validate(each.model_dump()) for each in found]
                self.retry.commit(lambda tx: data_warnings.add(tx, self.claim.job_id, self.claim.attempt, warned))
                self.milestones.warned([each.message for each in found])
            case PointBatch():
                self.report.points(heard)
                self.milestones.reached(heard)
            case Line(text=text):
                self.report.line(text)
            case Snapshot():
                self.retry.call(lambda: self.report.checkpoint(heard))
                self.milestones.stored(heard)
            case Completion() | Stop() | Failure():
                self.verdict = heard
            case ProtocolViolation(why=why):
                raise ProtocolError(f"the trainer sent an invalid message: {why}")
            case Readiness() | Exit():
                pass

    def _steer(self, seconds: float, turn: float) -> None:
        """Tell the trainer to stop if the user, the worker or the time limit requires it. Kill it after the grace time.

        `seconds` is the run time of the job, `turn` the time since the last call, in seconds.
        """
        if self.stop_sent is not None:
            self.grace -= turn
        wish = "cancel" if "cancel" in (self.heartbeat.desired, self.report.desired) else None
        wish = wish or ("pause" if "pause" in (self.heartbeat.desired, self.report.desired) else None)
        wish = wish or ("drain" if self.draining() else None)
        wish = wish or ("limit" if seconds > self.max_seconds else None)
        if wish is not None and wish != self.stop_sent and self.stop_sent != "cancel":
            self.trainer.send({"type": "stop", "why": wish})
            self.stop_sent = wish
        if self.grace < 0:
            self.trainer.kill()

    def _conclude(self, exit_code: int) -> None:
        """Write the last transition, after the trainer's process is gone."""
        job_id, attempt = self.claim.job_id, self.claim.attempt
        verdict = self.verdict
        found = self.retry.call(self._findings)

        def conclude(tx: Session) -> None:
            match verdict:
                case Completion():
                    jobs.succeed(tx, job_id, attempt, found)
                case Failure(code=code, message=message) if code == UNKNOWN_PART and self.began is None:
                    # Another worker may know the part. After `Start` the trainer has understood the spec.
                    jobs.release(tx, job_id, attempt, drained=False, why=f"{UNKNOWN_PART}: {message}")
                case Failure(retryable=True):
                    self._lose(tx, verdict.message, verdict.code == full_disk.CODE)
                case Failure():
                    jobs.fail(tx, job_id, attempt, JobError(code=verdict.code, message=verdict.message), found)
                case _ if self.stop_sent == "limit":
                    limit = f"the job ran longer than resources.max_seconds = {self.max_seconds}"
                    message = f"{limit}; submit it with a larger limit, or fork its last checkpoint"
                    jobs.fail(tx, job_id, attempt, JobError(code="max_seconds", message=message), found)
                case _ if self.stop_sent is not None or isinstance(verdict, Stop):
                    jobs.release(tx, job_id, attempt, self.stop_sent == "drain")
                case _:
                    self._lose(tx, _exit_reason(exit_code))

        self.retry.commit(conclude)

    def _findings(self) -> list[Finding]:
        """The findings, if the job ends now. Read before the last transaction, which holds up other writers."""
        is_over = isinstance(self.verdict, Completion | Failure) or self.stop_sent == "limit"
        if not is_over or (isinstance(self.verdict, Failure) and self.verdict.retryable):
            return []
        with self.database.reading() as tx:
            return findings.judge(tx, self.claim.job_id, isinstance(self.verdict, Completion))


def _cause(error: Exception) -> str:
    """The cause of a loss for the user. SQL, addresses and paths appear only in the service's log."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if full_disk.is_to_blame(error):
        return "the database has no room"
    if isinstance(error, DatabaseUnavailable):
        return "the database was unavailable for too long"
    if isinstance(error, Stalled | ProtocolError):
        return str(error)
    return f"an error of the service, {type(error).__name__}; see the worker's log"


def _exit_reason(code: int) -> str:
    return f"the trainer was killed by signal {-code}" if code < 0 else f"the trainer ended with exit code {code}"
