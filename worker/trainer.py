"""`python -m worker.trainer`: one attempt at one job, in a process of its own.

It waits warm, everything imported and nothing computed, for an assignment on its standard input; builds the parts,
drives the loop, and tells what happens on the pipe numbered in its argument. It has no database and no broker. Its
standard input is also its leash: when that closes, whoever supervised it is gone, and the whole process group goes too.
"""

import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # optimizers import it on first use, which takes longer than many a training run
from safetensors.torch import load_file

from athanor.contract import Schema, better_is
from models.initialisation import initialise
from models.kinds import Counted, Refusal
from models.preparation.examples import Examples, Prepared, Text, prepare
from models.preparation.split import steps_per_epoch
from models.schedules.constant import Constant
from models.spec import JobSpec, settle
from models.table import DataError, Table
from worker import device as devices
from worker import snapshot
from worker.counting import count
from worker.failures import explain
from worker.leash import Leash, Pipe
from worker.loop import Course, Learner, NonFinite, Plateau, Step, Stopping, Tally, Tensors, evaluate, fit

REPORT_EVERY = 0.2
"""Seconds between reports: points travel in columns, not one by one."""


class Report:
    """Points of the loop, gathered and sent in batches."""

    def __init__(self, pipe: Pipe, learner: Learner) -> None:
        self.pipe, self.learner = pipe, learner
        self.first_step, self.began, self.sent = learner.memory.step, time.monotonic(), 0.0
        self.points: dict[str, list[tuple[int, float, float]]] = defaultdict(list)

    def add(self, step: Step) -> None:
        at = time.time()
        for name, value in step.series.items():
            self.points[name].append((step.number, value, at))
        if time.monotonic() - self.sent > REPORT_EVERY:
            self.flush(step)

    def to_the_end_of(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Pass steps on; where they end in an error, send what led to it before it goes on its way."""
        latest = None
        try:
            for step in steps:
                latest = step
                yield step
        except Exception:
            if latest is not None:
                self.flush(latest)
            raise

    def flush(self, step: Step) -> None:
        self.sent = time.monotonic()
        pace = (self.sent - self.began) / max(1, step.number - self.first_step)
        self.pipe.send(
            "points",
            step=step.number,
            epoch=step.epoch,
            eta=pace * (self.learner.course.steps - step.number),
            series={name: list(zip(*points, strict=True)) for name, points in self.points.items()},
        )
        self.points.clear()


class Trial:
    """The attempt: built parts, cadence, and what is kept for the final test."""

    def __init__(self, assignment: dict[str, Any], pipe: Pipe, leash: Leash) -> None:
        self.pipe, self.leash = pipe, leash
        self.folder = Path(assignment["folder"])
        schema = Schema.model_validate(assignment["schema"])
        self.spec, roles = settle(JobSpec.model_validate(assignment["spec"]), schema)
        chosen = self.spec.hyperparameters
        self.device = devices.prepare(chosen.seed, self.spec.resources.device)
        pipe.send("started", device=devices.name_of(self.device), fingerprint=devices.fingerprint(self.device))

        table = Table.open(Path(assignment["dataset"]), schema)
        self.prepared = prepare(table, roles, self.spec.dataset.split)
        self.preparation = self.prepared.preparation.model_dump_json()
        encoder, target = self.prepared.preparation.encoder, self.prepared.preparation.target
        model = self.spec.architecture.build(self.prepared.preparation.inputs(), target.outputs)
        initialise(model, chosen.init)
        model = model.to(self.device)
        if encoder.form == "image":
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if chosen.optimizer:
            optimizer = chosen.optimizer.over(model, decay_biases=chosen.decay_biases)
        else:
            # What is counted has nothing that a step could move.
            optimizer = torch.optim.SGD([{"params": []}])
        self.learner = Learner(model, optimizer, _course(self.spec, self.prepared, self.device))
        self.best: Tensors | None = None
        if assignment["resume"] is not None:
            snapshot.restore(self.learner, Path(assignment["resume"]))
            if assignment["best"] is not None and self.learner.memory.best is not None:
                self.best = load_file(assignment["best"])

    def run(self) -> None:
        """Train to the end, or until told to stop."""
        report = Report(self.pipe, self.learner)
        for step in report.to_the_end_of(self._steps()):
            keeps_best = self.spec.checkpoints.keep_best > 0
            if step.improved and keeps_best:
                self.best = {name: value.detach().clone() for name, value in self.learner.weights().items()}
            reason = self._reason(step)
            files = self._snapshot(step) if reason else []
            if step.last and len(self.prepared.test):
                step.series.update(self._test())
            report.add(step)
            if reason:
                report.flush(step)
                self._announce(step, reason, files)
            if self.leash.stop is not None and not step.last:
                if not reason and self.leash.stop != "cancel":
                    report.flush(step)
                    self._announce(step, "stop", self._snapshot(step))
                self.pipe.send("stopped")
                return
        self.pipe.send("finished")

    def _steps(self) -> Iterator[Step]:
        source, seed = self.prepared.train.to(self.device), self.learner.course.seed
        val = self._tensors(self.prepared.val) if len(self.prepared.val) else None
        if isinstance(source, Text) and isinstance(self.learner.model, Counted):
            return count(self.learner, source.tokens, len(source), val)
        return fit(self.learner, lambda epoch: source.epoch(seed, epoch), val)

    def _reason(self, step: Step) -> str | None:
        policy, per_epoch = self.spec.checkpoints, self.learner.course.steps_per_epoch
        every = policy.every_steps or (policy.every_epochs or 1) * per_epoch
        if step.last:
            return "final"
        if step.improved and policy.keep_best > 0:
            return "best"
        return "cadence" if step.number % every == 0 else None

    def _snapshot(self, step: Step) -> list[dict[str, Any]]:
        about = {
            "architecture": self.spec.architecture.model_dump(mode="json"),
            "dataset": self.spec.dataset.model_dump(mode="json"),
            "step": step.number,
        }
        folder = self.folder / f"step-{step.number}"
        return [file.model_dump() for file in snapshot.write(self.learner, folder, about, self.preparation)]

    def _announce(self, step: Step, reason: str, files: list[dict[str, Any]]) -> None:
        folder = str(self.folder / f"step-{step.number}")
        self.pipe.send(
            "checkpoint",
            step=step.number,
            epoch=step.epoch,
            reason=reason,
            score=step.score,
            folder=folder,
            files=files,
        )

    def _test(self) -> dict[str, float]:
        """The test part, seen this once, with the best weights where something chose them."""
        if self.best is not None:
            snapshot.load_weights(self.learner, self.best)
        measured = evaluate(self.learner, *self._tensors(self.prepared.test))
        return {f"test/{name}": value for name, value in measured.items()}

    def _tensors(self, part: Examples) -> tuple[torch.Tensor, torch.Tensor]:
        there = part.to(self.device)
        return there.x, there.t


def _course(spec: JobSpec, prepared: Prepared, device: torch.device) -> Course:
    chosen, policy = spec.hyperparameters, spec.checkpoints
    assert chosen.batch_size and chosen.loss
    per_epoch = steps_per_epoch(len(prepared.train), chosen.batch_size)
    stopping, schedule = chosen.early_stopping, chosen.schedule or Constant()
    standstill = schedule.standstill()
    target, counts_K = prepared.preparation.target, None
    if target.task == "classification":
        counts_K = torch.bincount(prepared.train.t, minlength=target.outputs).to(device)
    return Course(
        criterion=target.criterion(chosen.loss.build_for(counts_K)),
        factor=schedule.factor,
        measure=target.measure,
        steps=chosen.steps or (chosen.epochs or 1) * per_epoch,
        steps_per_epoch=per_epoch,
        batch_size=chosen.batch_size,
        seed=chosen.seed,
        clip_norm=chosen.clip_norm,
        clip_value=chosen.clip_value,
        l1=chosen.l1,
        max_norm=chosen.max_norm,
        bf16=chosen.precision == "bf16",
        ema=chosen.ema,
        swa=chosen.swa.start if chosen.swa else None,
        stopping=Stopping(
            stopping.series, stopping.mode or better_is(stopping.series), stopping.patience, stopping.min_delta
        )
        if stopping
        else None,
        plateau=Plateau(policy.series, better_is(policy.series), **asdict(standstill)) if standstill else None,
        best_series=policy.series,
        best_mode=better_is(policy.series),
        every_steps=spec.metrics.every_steps,
        tally=Tally(target.count, target.conclude) if target.task == "language_modeling" else None,
    )


def main() -> int:
    torch.set_num_threads(1)
    pipe, leash = Pipe(int(sys.argv[1])), Leash()
    leash.start()
    pipe.send("ready")
    leash.assigned.wait()
    try:
        Trial(leash.assignment, pipe, leash).run()
    except Exception as error:
        if not isinstance(error, (NonFinite, DataError, Refusal)):
            sys.excepthook(type(error), error, error.__traceback__)
        pipe.send("failed", **explain(error))
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code = main()
    sys.stdout.flush()
    # Without the interpreter's farewell: the leash thread still reads, and nothing here needs closing.
    os._exit(code)
