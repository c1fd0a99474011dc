"""One training from its first step to its test: built parts, cadence, and what is kept for the end.

A job is one of them, or with folds one after another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from models.data.preparation import baselines
from models.data.preparation.examples import Examples, Preparation, Text, prepare
from models.data.preparation.roles import Roles
from models.data.preparation.split import rounds
from models.data.table import Table
from models.nn.initialization import initialize
from models.parts.architecture import Counted
from models.planning.freezing import freeze
from models.planning.spec import JobSpec
from models.planning.transfer import take_over
from worker.messages import snapshot_folder
from worker.training import device as devices
from worker.training import snapshot
from worker.training.build import build_config
from worker.training.completed_folds import CompletedFolds, mean
from worker.training.counting import count, nothing_to_move
from worker.training.loop import Learner, Step, Tensors, evaluate, fit
from worker.training.pipes import ParentWatch, Pipe
from worker.training.point_buffer import Points


@dataclass(frozen=True)
class Origin:
    """What a fork starts with: weights, all but those that are drawn afresh, and how rows become tensors."""

    weights: Tensors
    preparation: Preparation
    fresh: list[str]

    @classmethod
    def read(cls, weights: str, preparation: str, fresh: list[str]) -> "Origin":
        """From the paths of its files."""
        return cls(load_file(weights), Preparation.model_validate_json(Path(preparation).read_text()), fresh)


@dataclass(frozen=True)
class Work:
    """What all trainings of a job have in common."""

    spec: JobSpec
    roles: Roles
    table: Table
    device: torch.device
    folder: Path
    origin: Origin | None = None

    @property
    def rounds(self) -> int:
        return rounds(self.spec.dataset.split)


class TrainingRun:
    """One training. `past` says which; it goes on from the checkpoint in `resume`, whose best weights are in `best`."""

    def __init__(
        self,
        work: Work,
        past: CompletedFolds,
        pipe: Pipe,
        leash: ParentWatch,
        resume: Path | None = None,
        best: Path | None = None,
    ) -> None:
        self.work, self.past, self.pipe, self.leash = work, past, pipe, leash
        spec = work.spec
        chosen = spec.hyperparameters
        devices.prepare(chosen.seed, spec.resources.device)
        origin = work.origin
        kept = origin.preparation if origin else None
        self.prepared = prepare(work.table, work.roles, spec.dataset.split, past.folds, kept)
        self.preparation = self.prepared.preparation.model_dump_json()
        encoder, target = self.prepared.preparation.encoder, self.prepared.preparation.target
        model = spec.architecture.build(self.prepared.preparation.inputs(), target.outputs)
        initialize(model, chosen.init)
        if origin:
            take_over(model, origin.weights, origin.fresh)
        model = model.to(work.device)
        if encoder.form == "image":
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        freeze(model, chosen.freeze)
        rule = chosen.optimizer
        optimizer = rule.over(model, decay_biases=chosen.decay_biases) if rule else nothing_to_move()
        self.learner = Learner(model, optimizer, build_config(spec, self.prepared, work.device))
        self.best: Tensors | None = None
        if resume is not None:
            snapshot.restore(self.learner, resume)
            if best is not None and self.learner.memory.best is not None:
                self.best = load_file(best)

    @property
    def member(self) -> int | None:
        """Which fold it is, from 1, where the job has several."""
        return self.past.folds + 1 if self.work.rounds > 1 else None

    def run(self) -> bool:
        """Train to the end. False where it was told to stop before all is done."""
        self._measure_baseline()
        left = (self.work.rounds - self.past.folds) * self.learner.course.steps
        points = Points(self.pipe, self.learner.memory.step, left, self.past.steps, self.member)
        for step in points.to_the_end_of(self._steps()):
            if step.improved and self.work.spec.checkpoints.keep_best > 0:
                self.best = {name: value.detach().clone() for name, value in self.learner.weights().items()}
            if step.last and len(self.prepared.test):
                self._test(points, step)
            points.add(step)
            reason = self._reason(step)
            if reason:
                points.flush(step)
                self._announce(step, reason)
            is_end = step.last and self.past.folds + 1 == self.work.rounds
            if self.leash.stop is not None and not is_end:
                if not reason and self.leash.stop != "cancel":
                    points.flush(step)
                    self._announce(step, "stop")
                return False
        return True

    def _steps(self) -> Iterator[Step]:
        source, seed = self.prepared.train, self.learner.course.seed
        if self.learner.course.data_workers == 0:
            # A process that makes batches shares host memory, and no device's.
            source = source.to(self.work.device)
        val = self._tensors(self.prepared.val) if len(self.prepared.val) else None
        if isinstance(source, Text) and isinstance(self.learner.model, Counted):
            return count(self.learner, source.tokens, len(source), val)
        return fit(self.learner, lambda epoch: source.epoch(seed, epoch), val)

    def _measure_baseline(self) -> None:
        target, parts = self.prepared.preparation.target, {"val": self.prepared.val, "test": self.prepared.test}
        self.past.baselines[self.past.folds :] = [
            {
                f"{part}/{name}": value
                for part, examples in parts.items()
                if len(examples)
                for name, value in baselines.measure(target, self.prepared.train, examples).items()
            }
        ]
        self.pipe.send("baseline", baseline={"kind": baselines.kind(target), "values": mean(self.past.baselines)})

    def _reason(self, step: Step) -> str | None:
        policy, per_epoch = self.work.spec.checkpoints, self.learner.course.steps_per_epoch
        every = policy.every_steps or (policy.every_epochs or 1) * per_epoch
        if step.last:
            return "final"
        if step.improved and policy.keep_best > 0:
            return "best"
        return "cadence" if step.number % every == 0 else None

    def _announce(self, step: Step, reason: str) -> None:
        number = self.past.steps + step.number
        about: dict[str, Any] = {
            "architecture": self.work.spec.architecture.model_dump(mode="json"),
            "dataset": self.work.spec.dataset.model_dump(mode="json"),
            "step": number,
        }
        folder = self.work.folder / snapshot_folder(number, self.member)
        self.pipe.await_taking(self.work.folder)
        files = snapshot.write(self.learner, folder, about, self.preparation, self.past)
        self.pipe.send(
            "checkpoint",
            step=number,
            epoch=step.epoch,
            member=self.member,
            reason=reason,
            score=step.score,
            files=[file.model_dump() for file in files],
        )

    def _test(self, points: Points, step: Step) -> None:
        """The test part, seen this once, with the best weights where something chose them; of folds, the mean last."""
        measured = evaluate(self.learner, *self._tensors(self.prepared.test), self.best)
        self.past.tests[self.past.folds :] = [{f"test/{name}": value for name, value in measured.items()}]
        points.note(step, self.past.tests[-1])
        if 1 < self.work.rounds == len(self.past.tests):
            points.note_whole(step, mean(self.past.tests))

    def _tensors(self, part: Examples) -> tuple[torch.Tensor, torch.Tensor]:
        there = part.to(self.work.device)
        return there.x, there.t
