"""Answers of the service as tables in a terminal."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from athanor.contract import (
    Catalog,
    CrossValidation,
    Dataset,
    Job,
    PartInfo,
    Plan,
    Preview,
    State,
    Waiting,
    Worker,
)
from athanor.terminal import columns, fitted, remarks
from athanor.terminal.tables import facts, number, table

COLOURS = {
    State.QUEUED: "cyan",
    State.STARTING: "yellow",
    State.RUNNING: "yellow",
    State.PAUSED: "magenta",
    State.SUCCEEDED: "green",
    State.FAILED: "red",
    State.CANCELLED: "magenta",
}


def console() -> Console:
    """A console for standard output. A pipe has no width, so it gets 200 characters per line."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def to_json(answer: BaseModel | dict[str, Any]) -> str:
    if isinstance(answer, BaseModel):
        return answer.model_dump_json(by_alias=True, indent=2)
    return json.dumps(answer, indent=2, ensure_ascii=False)


def colored(state: State) -> Text:
    return Text(str(state), style=COLOURS[state])


def size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float | None) -> str:
    """A duration in at most two units: 42 s, 3 min 05 s, 2 h 10 min, 3 d 04 h."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 2 * 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02} h"


def ago(at: str) -> str:
    """The time since an RFC 3339 timestamp: `3 min 05 s ago`."""
    return duration(max(0.0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())) + " ago"


def kind(job: Job) -> str:
    """The kind of the job's architecture, or `?`."""
    part = job.spec.get("architecture")
    return str(part.get("kind", "?")) if isinstance(part, dict) else "?"


def job(answer: Job) -> RenderableType:
    found = facts()
    found.add_row("job", Text(answer.id))
    found.add_row("name", Text(answer.name or "–"))
    found.add_row("trains", Text(f"{kind(answer)} on {answer.dataset_id}"))
    if answer.origin:
        found.add_row("forked from", Text(f"{answer.origin.job_id} at step {answer.origin.step}"))
    found.add_row("state", colored(answer.state))
    moved = answer.transitions[-1] if answer.transitions else None
    if answer.state is State.QUEUED and moved and moved.from_ is not None and moved.reason:
        # A job that was just submitted has no reason to show.
        found.add_row("because", Text(moved.reason))
    if answer.waiting:
        found.add_row("waits", Text(waits(answer.waiting)))
    is_done = answer.is_terminal or (answer.state is State.PAUSED and answer.desired == "pause")
    if answer.desired != "run" and not is_done:
        found.add_row("asked to", answer.desired)
    if answer.error:
        found.add_row("error", Text(f"{answer.error.message} ({answer.error.code})", style="red"))
    at = answer.progress
    where = f"step {at.step} of {at.steps}, epoch {at.epoch:.1f}"
    if is_stopped_early(answer):
        where += f", {early_stop(answer)}"
    elif not answer.is_terminal:
        where += f", eta {duration(at.eta_seconds)}"
    found.add_row("progress", where)
    found.add_row("attempt", str(answer.attempt))
    if answer.engine_reason:
        found.add_row("engine", Text(engine(answer.spec, answer.engine_reason)))
    found.add_row("created", f"{answer.created_at} ({ago(answer.created_at)})")
    if answer.finished_at:
        found.add_row("finished", answer.finished_at)
    if not answer.bit_exact:
        found.add_row("resumed", "not bit-exact: see athanor logs")
    for name, value in answer.tags.items():
        found.add_row("tag", Text(f"{name}: {value}"))
    if (tested := tested_step(answer)) is not None:
        found.add_row("tested", f"the {_tested_kind(answer)} checkpoint, of step {tested}")
    tables = [readings(answer)] if answer.latest else []
    if answer.folds is not None and answer.folds.done:
        tables.append(spreads(answer.folds))
    if answer.columns:
        tables.append(columns.roles(answer.columns))
    return Group(found, *tables, *remarks.warnings(answer.warnings), *remarks.findings(answer.findings))


def waits(waiting: Waiting) -> str:
    """The place of a queued job and what it waits for, in one line."""
    return f"place {waiting.place} in the queue: {waiting.reason}"


def is_stopped_early(job: Job) -> bool:
    return job.state is State.SUCCEEDED and job.progress.step < job.progress.steps


def early_stop(job: Job) -> str:
    """The reason why a job that succeeded has fewer steps than planned."""
    chosen = job.spec.get("hyperparameters")
    rule = chosen.get("early_stopping") if isinstance(chosen, dict) else None
    if not isinstance(rule, dict):
        return "stopped early"
    return f"stopped early: {rule.get('series')} did not improve in {rule.get('patience')} evaluations"


def checkpoint_series(job: Job) -> str:
    """The series by which the job chooses its best checkpoint."""
    policy = job.spec.get("checkpoints")
    return str(policy.get("series") or "val/loss") if isinstance(policy, dict) else "val/loss"


def tested_step(job: Job) -> int | None:
    """The step of the checkpoint that was tested: the best one, or the last if `keep_best` is 0.

    None without test results. None for cross-validation too, because each fold tests its own checkpoint.
    """
    test = next((point for name, point in job.latest.items() if name.startswith("test/")), None)
    if test is None or job.folds is not None:
        return None
    if _tested_kind(job) == "last":
        return test.step
    best = job.best.get(checkpoint_series(job))
    return best.step if best else None


def _tested_kind(job: Job) -> str:
    policy = job.spec.get("checkpoints")
    return "last" if isinstance(policy, dict) and policy.get("keep_best") == 0 else "best"


def readings(answer: Job) -> Table:
    """The latest and the best value of every series, and the baseline. Series of single folds are left out.

    A test result is measured once, so it has no best value. Its step is that of the tested checkpoint.
    """
    known = answer.baseline
    made = table("series", "latest", "best", "at step", *([f"baseline ({known.kind})"] if known else []))
    for name, point in sorted(answer.latest.items()):
        if name.startswith("folds/"):
            continue
        best = answer.best.get(name)
        at = best.step if best else None
        if name.startswith("test/"):
            best, at = None, tested_step(answer)
        made.add_row(
            Text(name),
            number(point.value),
            number(best.value) if best else "–",
            "–" if at is None else str(at),
            *([number(known.values.get(name))] if known else []),
        )
    return made


def spreads(answer: CrossValidation) -> Table:
    """Mean, standard deviation and values over the completed folds."""
    made = table(f"{answer.done} of {answer.n} folds", "mean", "std", "each")
    for name, spread in sorted(answer.series.items()):
        made.add_row(Text(name), number(spread.mean), number(spread.std), "  ".join(map(number, spread.values)))
    return made


def plan(answer: Plan) -> RenderableType:
    found = facts()
    found.add_row("task", answer.task)
    frozen = answer.parameters - answer.trainable
    found.add_row("parameters", f"{answer.parameters:,}" + (f", {frozen:,} of them frozen" if frozen else ""))
    if answer.fresh:
        found.add_row("initialized anew", Text(", ".join(answer.fresh)))
    found.add_row("memory", f"about {size(answer.memory_bytes)}")
    found.add_row("rows", f"{answer.train_rows:,} train, {answer.val_rows:,} val, {answer.test_rows:,} test")
    found.add_row("steps", f"{answer.steps:,} ({answer.steps_per_epoch:,} per epoch)")
    found.add_row("checkpoint", size(answer.checkpoint_bytes))
    if answer.engine_reason:
        found.add_row("engine", Text(engine(answer.spec, answer.engine_reason)))
    shown = [columns.roles(answer.columns)] if answer.columns else []
    return Group(found, *shown, *remarks.warnings(answer.warnings))


def engine(spec: Mapping[str, Any], reason: str) -> str:
    """The engine of a resolved spec, and why."""
    return f"{spec['resources']['engine']}: {reason}"


def datasets(answers: Sequence[Dataset], width: int) -> Table:
    """One line per dataset, at most `width` characters wide. Commands accept the shortened ids."""
    shown = [
        fitted.ids("id", [one.id for one in answers]),
        fitted.Column("name", [one.name for one in answers], 16),
        fitted.Column("format", [one.format for one in answers]),
        fitted.Column("rows", [f"{one.rows:,}" for one in answers]),
        fitted.Column("target", [one.schema_.target or "–" for one in answers], 8, optional=True),
        fitted.Column("bytes", [size(one.bytes) for one in answers], optional=True),
        fitted.Column("columns", [str(len(one.schema_.columns)) for one in answers], optional=True),
    ]
    return fitted.table(shown, width)


def dataset(answer: Dataset) -> RenderableType:
    found = facts()
    found.add_row("dataset", Text(answer.id))
    found.add_row("name", Text(answer.name))
    found.add_row("file", f"{answer.format}, {size(answer.bytes)}")
    if answer.dialect:
        found.add_row(
            "read with", Text(", ".join(f"{name} = {_shown(value)}" for name, value in answer.dialect.items()))
        )
    found.add_row("rows", f"{answer.rows:,}")
    found.add_row("target", Text(answer.schema_.target or "–"))
    return Group(
        found, columns.described(answer.schema_), *columns.doubts(answer.schema_), *remarks.warnings(answer.warnings)
    )


def _shown(value: Any) -> str:
    """A value in JSON; a string as it is, unless it has characters that are not seen."""
    return value if isinstance(value, str) and value.isprintable() and value.strip() else json.dumps(value)


def preview(answer: Preview) -> Table:
    made = table(*answer.columns)
    for row in answer.rows:
        made.add_row(*(Text(cell if isinstance(cell, str) else json.dumps(cell), overflow="ellipsis") for cell in row))
    return made


def catalog(answer: Catalog) -> Table:
    made = table("shelf", "kind", "description")
    for shelf, parts in _shelves(answer):
        for place, part in enumerate(parts):
            made.add_row(Text("" if place else shelf, style="bold"), Text(part.kind), Text(part.summary))
        if parts:
            made.add_section()
    return made


def parts(answer: Catalog, kind: str) -> list[tuple[str, PartInfo]]:
    """(shelf, part) for each part of this kind. Several shelves may have one."""
    return [(shelf, part) for shelf, parts in _shelves(answer) for part in parts if part.kind == kind]


def workers(answers: Sequence[Worker], width: int) -> Table:
    """One line per worker, at most `width` characters wide."""
    shown = [
        fitted.ids("id", [one.id for one in answers]),
        fitted.Column("state", [Text(one.state, "green" if one.state == "active" else "yellow") for one in answers]),
        fitted.Column("slots", [f"{len(one.running)}/{one.slots}" for one in answers]),
        fitted.Column("running", [_running(one, whole=width >= 160) for one in answers], fitted.SHORT_ID),
        fitted.Column("host", [one.host for one in answers], 8, optional=True),
        fitted.Column("devices", [", ".join(device.name for device in one.devices) for one in answers], 12, True),
        fitted.Column("heartbeat", [ago(one.heartbeat_at) for one in answers], optional=True),
    ]
    return fitted.table(shown, width)


def _running(worker: Worker, *, whole: bool) -> str:
    """The ids of the worker's jobs. If not `whole`, they are shortened; commands accept the short ids."""
    return ", ".join(id if whole else id[: fitted.SHORT_ID] for id in worker.running) or "–"


def _shelves(answer: Catalog) -> list[tuple[str, list[PartInfo]]]:
    return list(answer.shelves().items())
