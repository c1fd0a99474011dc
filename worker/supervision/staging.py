"""Staging: fetch the files that an attempt needs from the store to its folder, and verify them."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from athanor.contract import CheckpointPolicy
from athanor.files import PREPARATION, WEIGHTS
from models.records import attempts, checkpoints, datasets, events, jobs, metrics
from models.records.checkpoints import Stored
from models.records.database import Database
from models.settings import Settings
from models.storage.store import Corrupt, Store, fetch, fetch_dataset
from worker.supervision.thread_choices import ThreadChoices

logger = logging.getLogger(__name__)


class DamagedInput(Exception):
    """The dataset or the weights that the job needs are lost or damaged in the store."""


@dataclass(frozen=True)
class Staged:
    """The files of an attempt, on disk."""

    assignment: dict[str, Any]
    """The message to the trainer: the resolved spec, the dataset's schema, and paths."""
    rows: int
    """The number of rows of the dataset."""
    resume_step: int | None
    """The step of the checkpoint from which the training resumes."""


class Staging:
    """Fetches the files of one attempt to `folder`. A damaged checkpoint is marked as corrupt and skipped.

    `processors` is the number that the attempt's slot may use.
    """

    def __init__(
        self,
        database: Database,
        store: Store,
        settings: Settings,
        claim: jobs.Claim,
        policy: CheckpointPolicy,
        folder: Path,
        processors: int,
    ) -> None:
        self.database, self.store, self.settings = database, store, settings
        self.claim, self.policy, self.folder, self.processors = claim, policy, folder, processors
        self.thread_choices = ThreadChoices(settings.data / "threads")

    def stage(self, trainer_folder: Path) -> Staged:
        """Fetch everything that the trainer needs. It may be called again. Raises DamagedInput, LeaseLost."""
        with self.database.reading() as tx:
            dataset = datasets.get(tx, self.claim.dataset_id)
        assert dataset is not None
        rows, threads = self._dataset(), self._threads()
        newest = self._newest_checkpoint()
        best = self._best_weights(newest)
        assignment = {
            "resolved": self.claim.resolved,
            "schema": dataset.schema_.model_dump(mode="json"),
            "dataset": str(rows),
            "folder": str(trainer_folder),
            "threads": threads,
            "most_threads": self.processors if threads is None else None,
            "found_threads": self.thread_choices.of(self.claim.resolved["spec"], self.processors),
            "memory": self.settings.limits.trainer_memory_bytes,
            "resume": str(self.folder / newest.id) if newest else None,
            "best": str(best) if best else None,
            "origin": self._origin(),
        }
        return Staged(assignment, dataset.rows, newest.step if newest else None)

    def _threads(self) -> int | None:
        """The threads that compute: those of earlier attempts, since with another number the bits would differ.

        None if the trainer is to find the number.
        """
        resources = self.claim.resolved["spec"]["resources"]
        # A job that was submitted to an earlier version computes with one.
        wanted = resources.get("threads", 1)
        if wanted != "auto":
            return int(wanted)
        with self.database.reading() as tx:
            return attempts.threads(tx, [self.claim.job_id]).get(self.claim.job_id)

    def settle_threads(self, tx: Session, threads: int) -> None:
        """Write the number with which the trainer computes. Raises LeaseLost."""
        jobs.beat(tx, self.claim.job_id, self.claim.attempt, self.settings.timing.lease)
        attempts.settle_threads(tx, self.claim.job_id, self.claim.attempt, threads)

    def keep_threads(self, threads: int) -> None:
        """Keep the number that a trial has found for equal trainings."""
        self.thread_choices.keep(self.claim.resolved["spec"], self.processors, threads)

    def _dataset(self) -> Path:
        """Fetch the rows of the dataset. Raises DamagedInput."""
        rows, dataset_id = self.folder / "dataset.parquet", self.claim.dataset_id
        try:
            fetch_dataset(self.store, self.database, dataset_id, rows)
        except Corrupt as error:
            raise DamagedInput(
                f"the rows of dataset {dataset_id} are lost or damaged in the store; upload the file again to restore "
                "them (a built-in dataset is restored by itself), then submit the job again"
            ) from error
        return rows

    def _origin(self) -> dict[str, Any] | None:
        """Fetch the weights with which a fork starts. Raises DamagedInput."""
        origin = self.claim.origin
        if origin is None:
            return None
        there = self.folder / "origin"
        there.mkdir(exist_ok=True)
        try:
            for file in origin.files:
                fetch(self.store, origin.key(file.name), there / file.name, file.sha256)
        except Corrupt as error:
            raise DamagedInput(
                "the weights that this job starts from are lost or damaged in the store; fork another checkpoint"
            ) from error
        paths = {"weights": str(there / WEIGHTS), "preparation": str(there / PREPARATION)}
        return paths | {"fresh": origin.fresh}

    def _newest_checkpoint(self) -> Stored | None:
        """Fetch the newest checkpoint whose files have the right digests; None if there is none."""
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
                self._mark_corrupt(newest, str(error), exact=True)
            else:
                return newest

    def _best_weights(self, newest: Stored | None) -> Path | None:
        """Fetch the weights of this training's best checkpoint so far, for its test."""
        if newest is None or self.policy.keep_best == 0:
            return None
        weights = self.folder / "best.safetensors"
        while True:
            with self.database.reading() as tx:
                best = checkpoints.best(tx, self.claim.job_id, self.policy.mode or "min", newest.member)
            if best is None or best.score is None:
                return None
            try:
                fetch(self.store, best.key(WEIGHTS), weights, best.file(WEIGHTS).sha256)
            except Corrupt as error:
                # There is no other copy of its weights, so the second best checkpoint is tested instead.
                self._mark_corrupt(best, str(error), exact=False)
            else:
                return weights

    def _mark_corrupt(self, broken: Stored, why: str, exact: bool) -> None:
        """Mark a damaged checkpoint as corrupt. The series are cut at the newest intact checkpoint."""
        logger.error("%s: checkpoint %s is broken: %s", self.claim.job_id, broken.id, why)
        with self.database.writing() as tx:
            jobs.beat(tx, self.claim.job_id, self.claim.attempt, self.settings.timing.lease)
            checkpoints.mark_corrupt(tx, broken.id)
            if not exact:
                jobs.note_inexact(tx, self.claim.job_id)
            earlier = checkpoints.newest(tx, self.claim.job_id)
            metrics.truncate(tx, self.claim.job_id, earlier.step if earlier else 0)
            events.note(tx, self.claim.job_id, self.claim.attempt, "warning", {"checkpoint": broken.id, "message": why})
