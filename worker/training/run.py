"""One training from its first step to its test: reports, checkpoints and test results.

A job is one of them, or with folds one after another.
"""

import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from models.data.preparation.examples import Examples, Part, prepare
from models.data.preparation.roles import Roles
from models.data.table import Table
from models.planning.spec import JobSpec
from worker.messages import MOST_WARNINGS, snapshot_folder
from worker.training import snapshot, thread_trial
from worker.training.build import InitialWeights, batching_of, build
from worker.training.completed_folds import CompletedFolds, mean
from worker.training.loop import NonFinite, Step
from worker.training.method import method_of
from worker.training.pipes import ParentWatch, Pipe
from worker.training.point_buffer import PointBuffer
from worker.training.stages.averaging import Tensors


@dataclass(frozen=True)
class Work:
    """What all trainings of a job have in common."""

    spec: JobSpec
    roles: Roles
    table: Table
    device: torch.device
    folder: Path
    initial: InitialWeights | None = None
    most_threads: int | None = None
    """The number of threads is to be found, and this is the most. None: it is settled."""
    found_threads: int | None = None
    """What an equal training has found."""

    @property
    def folds(self) -> int:
        """Trainings, one after another; 1 without a cross-validation."""
        return self.spec.dataset.split.trainings


class TrainingRun:
    """One training: the fold after those that are completed.

    It goes on from the checkpoint in `resume`; the best weights before it are in `best`.
    """

    def __init__(
        self,
        work: Work,
        completed: CompletedFolds,
        pipe: Pipe,
        parent_watch: ParentWatch,
        resume: Path | None = None,
        best: Path | None = None,
    ) -> None:
        self.work, self.completed, self.pipe, self.parent_watch = work, completed, pipe, parent_watch
        kept = work.initial.preparation if work.initial else None
        # One look is enough: a resumed job has looked before, and folds have the same rows.
        is_first = resume is None and not completed.folds
        self.prepared = prepare(
            work.table, work.roles, work.spec.dataset.split, completed.folds, kept, is_inspected=is_first
        )
        self.preparation = self.prepared.preparation.model_dump_json()
        if is_first and work.most_threads is not None:
            self._settle_threads(work.most_threads)
        self.learner = build(work.spec, self.prepared, work.initial)
        self.taken_at = time.monotonic()
        """When the snapshot of the last checkpoint was taken, or the training began."""
        self.waiting: tuple[Step, snapshot.Snapshot, float] | None = None
        """The best step since then, whose checkpoint is not announced yet; its snapshot, and when that was taken."""
        self.best: Tensors | None = None
        if resume is not None:
            snapshot.restore(self.learner, resume)
            if best is not None and self.learner.state.best is not None:
                self.best = load_file(best)

    def _settle_threads(self, most: int) -> None:
        threads, is_tried = 1, False
        if self.work.device.type != "cpu":
            # They prepare batches, which a trial of a device's steps would not show.
            threads = most
        elif most > 1 and batching_of(self.work.spec, self.prepared).steps >= thread_trial.length(most):
            threads, is_tried = self.work.found_threads or self._try_threads(most), True
        torch.set_num_threads(threads)
        self.pipe.send("settled", threads=threads, is_tried=is_tried)

    def _try_threads(self, most: int) -> int:
        """Find the number of threads with a learner that is thrown away. `build` seeds all generators afresh."""
        learner = build(self.work.spec, self.prepared, self.work.initial)
        # Data workers do not take part, since their number must not change a result.
        learner.config = replace(learner.config, batching=replace(learner.config.batching, workers=0))
        steps = method_of(self.work.spec.architecture).steps(learner, self.prepared.train, None)
        # A training that diverges so soon does so again, and then says so.
        with suppress(NonFinite):
            return thread_trial.fastest(lambda: next(steps), most)
        return 1

    @property
    def member(self) -> int | None:
        """Which fold it is, from 1, where the job has several."""
        return self.completed.folds + 1 if self.work.folds > 1 else None

    def run(self) -> bool:
        """Train to the end. False where it was told to stop before all is done."""
        points = self.begin()
        newest: Step | None = None
        try:
            for newest in points.to_the_end_of(self._steps()):
                if not self.receive(newest, points):
                    return False
        except Exception:
            if newest is not None:
                self._keep_best(newest, points)
            raise
        return True

    def _keep_best(self, newest: Step, points: PointBuffer) -> None:
        """Announce the best checkpoint that waits, although the training fails. The first error counts."""
        try:
            points.flush(newest)
            self._announce_waiting()
        except Exception:
            traceback.print_exc()

    def begin(self) -> PointBuffer:
        """Report the baseline and warnings. Returns the buffer for the points of this training."""
        if self.prepared.warnings:
            told = [warned.model_dump() for warned in self.prepared.warnings[:MOST_WARNINGS]]
            self.pipe.send("warnings", warnings=told)
        self._measure_baseline()
        left = (self.work.folds - self.completed.folds) * self.learner.config.batching.steps
        return PointBuffer(self.pipe, self.learner.state.step, left, self.completed.steps, self.member)

    def receive(self, step: Step, points: PointBuffer) -> bool:
        """Report a step and keep what it calls for, whoever made it. False where the training is to stop after it."""
        if step.improved and self.work.spec.checkpoints.keep_best > 0:
            self.best = {name: value.detach().clone() for name, value in self.learner.weights().items()}
        if step.last and len(self.prepared.test):
            self._test(points, step)
        if step.number == 1:
            unknown = self.prepared.unknown_words()
            points.note(step, {f"unknown_words/{part}": share for part, share in unknown.items()})
        points.add(step)
        is_told = self._checkpoint(step, points)
        is_end = step.last and self.completed.folds + 1 == self.work.folds
        if self.parent_watch.stop is None or is_end:
            return True
        if self.waiting is not None:
            is_told = is_told or self.waiting[0] is step
            points.flush(step)
            self._announce_waiting()
        if not is_told and self.parent_watch.stop != "cancel":
            self._announce_now(step, "stop", points)
        return False

    def _steps(self) -> Iterator[Step]:
        val = self._tensors(self.prepared.val) if len(self.prepared.val) else None
        return method_of(self.work.spec.architecture).steps(self.learner, self.prepared.train, val)

    def _measure_baseline(self) -> None:
        target, parts = self.prepared.preparation.target, {"val": self.prepared.val, "test": self.prepared.test}
        self.completed.baselines[self.completed.folds :] = [
            {
                f"{part}/{name}": value
                for part, examples in parts.items()
                if len(examples)
                for name, value in target.baseline(self.prepared.train, examples).items()
            }
        ]
        self.pipe.send(
            "baseline", baseline={"kind": target.part.baseline_kind, "values": mean(self.completed.baselines)}
        )

    def _checkpoint(self, step: Step, points: PointBuffer) -> bool:
        """Announce the checkpoint of a step that calls for one. True where it was announced.

        Checkpoints may not follow each other at once, since small networks would do little else: a best one waits in
        memory, and others are left out. The last step's is announced in any case.
        """
        reason = self._reason(step)
        now = time.monotonic()
        if step.improved:
            self.waiting = None
        if reason != "final" and now - self.taken_at < (self.work.spec.checkpoints.min_seconds or 0.0):
            if reason == "best":
                assert self.best is not None
                self.waiting = step, snapshot.take(self.learner, self.completed).lasting(self.best), now
            return False
        if self.waiting is not None:
            points.flush(step)
            self._announce_waiting()
        if reason is not None:
            self._announce_now(step, reason, points)
        return reason is not None

    def _reason(self, step: Step) -> str | None:
        policy, per_epoch = self.work.spec.checkpoints, self.learner.config.batching.steps_per_epoch
        every = policy.every_steps or (policy.every_epochs or 1) * per_epoch
        if step.last:
            return "final"
        if step.improved and policy.keep_best > 0:
            return "best"
        return "cadence" if step.number % every == 0 else None

    def _announce_now(self, step: Step, reason: str, points: PointBuffer) -> None:
        points.flush(step)
        self._announce(step, reason, snapshot.take(self.learner, self.completed), time.monotonic())

    def _announce_waiting(self) -> None:
        """Announce the best checkpoint, if it waits. The points up to now have been sent."""
        if self.waiting is not None:
            (step, taken, at), self.waiting = self.waiting, None
            self._announce(step, "best", taken, at)

    def _announce(self, step: Step, reason: str, taken: snapshot.Snapshot, at: float) -> None:
        number = self.completed.steps + step.number
        about: dict[str, Any] = {
            "architecture": self.work.spec.architecture.model_dump(mode="json"),
            "dataset": self.work.spec.dataset.model_dump(mode="json"),
            "step": number,
        }
        folder = self.work.folder / snapshot_folder(number, self.member)
        self.pipe.await_taking(self.work.folder)
        files = snapshot.write(taken, folder, about, self.preparation)
        self.pipe.send(
            "checkpoint",
            step=number,
            epoch=step.epoch,
            member=self.member,
            reason=reason,
            score=step.score,
            files=[file.model_dump() for file in files],
        )
        self.taken_at = at

    def _test(self, points: PointBuffer, step: Step) -> None:
        """The test part, seen this once, with the best weights where something chose them; of folds, the mean last."""
        measured = self.learner.evaluate(self._tensors(self.prepared.test), self.best)
        self.completed.tests[self.completed.folds :] = [{f"test/{name}": value for name, value in measured.items()}]
        points.note(step, self.completed.tests[-1])
        if 1 < self.work.folds == len(self.completed.tests):
            points.note_whole(step, mean(self.completed.tests))

    def _tensors(self, part: Examples) -> Part:
        return part.to(self.work.device).part()
