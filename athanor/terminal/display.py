"""Answers of the service as tables in a terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
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
    Predictions,
    Preview,
    State,
    Waiting,
    Warned,
    Worker,
)
from athanor.terminal import fitted

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


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


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
    facts = _facts()
    facts.add_row("job", Text(answer.id))
    facts.add_row("name", Text(answer.name or "–"))
    facts.add_row("trains", Text(f"{kind(answer)} on {answer.dataset_id}"))
    if answer.origin:
        facts.add_row("forked from", Text(f"{answer.origin.job_id} at step {answer.origin.step}"))
    facts.add_row("state", colored(answer.state))
    moved = answer.transitions[-1] if answer.transitions else None
    if answer.state is State.QUEUED and moved and moved.from_ is not None and moved.reason:
        # A job that was just submitted has no reason to show.
        facts.add_row("because", Text(moved.reason))
    if answer.waiting:
        facts.add_row("waits", Text(waits(answer.waiting)))
    if not answer.is_terminal and answer.desired != "run":
        facts.add_row("asked to", answer.desired)
    if answer.error:
        facts.add_row("error", Text(f"{answer.error.message} ({answer.error.code})", style="red"))
    at = answer.progress
    where = f"step {at.step} of {at.steps}, epoch {at.epoch:.1f}"
    if is_stopped_early(answer):
        where += f", {early_stop(answer)}"
    elif not answer.is_terminal:
        where += f", eta {duration(at.eta_seconds)}"
    facts.add_row("progress", where)
    facts.add_row("attempt", str(answer.attempt))
    facts.add_row("created", f"{answer.created_at} ({ago(answer.created_at)})")
    if answer.finished_at:
        facts.add_row("finished", answer.finished_at)
    if not answer.bit_exact:
        facts.add_row("resumed", "not bit-exact: see athanor logs")
    for name, value in answer.tags.items():
        facts.add_row("tag", Text(f"{name}: {value}"))
    if (tested := tested_step(answer)) is not None:
        facts.add_row("tested", f"the {_tested_kind(answer)} checkpoint, of step {tested}")
    tables = [readings(answer)] if answer.latest else []
    if answer.folds is not None and answer.folds.done:
        tables.append(spreads(answer.folds))
    return Group(facts, *tables)


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
    table = _table("series", "latest", "best", "at step", *([f"baseline ({known.kind})"] if known else []))
    for name, point in sorted(answer.latest.items()):
        if name.startswith("folds/"):
            continue
        best = answer.best.get(name)
        at = best.step if best else None
        if name.startswith("test/"):
            best, at = None, tested_step(answer)
        table.add_row(
            Text(name),
            number(point.value),
            number(best.value) if best else "–",
            "–" if at is None else str(at),
            *([number(known.values.get(name))] if known else []),
        )
    return table


def spreads(answer: CrossValidation) -> Table:
    """Mean, standard deviation and values over the completed folds."""
    table = _table(f"{answer.done} of {answer.n} folds", "mean", "std", "each")
    for name, spread in sorted(answer.series.items()):
        table.add_row(Text(name), number(spread.mean), number(spread.std), "  ".join(map(number, spread.values)))
    return table


def plan(answer: Plan) -> RenderableType:
    facts = _facts()
    facts.add_row("task", answer.task)
    frozen = answer.parameters - answer.trainable
    facts.add_row("parameters", f"{answer.parameters:,}" + (f", {frozen:,} of them frozen" if frozen else ""))
    if answer.fresh:
        facts.add_row("initialized anew", Text(", ".join(answer.fresh)))
    facts.add_row("memory", f"about {size(answer.memory_bytes)}")
    facts.add_row("rows", f"{answer.train_rows:,} train, {answer.val_rows:,} val, {answer.test_rows:,} test")
    facts.add_row("steps", f"{answer.steps:,} ({answer.steps_per_epoch:,} per epoch)")
    facts.add_row("checkpoint", size(answer.checkpoint_bytes))
    return Group(facts, *_warnings(answer.warnings))


def _warnings(found: Iterable[Warned]) -> list[Text]:
    return [Text(f"warning: {one.message}", style="yellow") for one in found]


def datasets(answers: Sequence[Dataset], width: int) -> Table:
    """One line per dataset, at most `width` characters wide. Commands accept the shortened ids."""
    columns = [
        fitted.ids("id", [one.id for one in answers]),
        fitted.Column("name", [one.name for one in answers], 16),
        fitted.Column("format", [one.format for one in answers]),
        fitted.Column("rows", [f"{one.rows:,}" for one in answers]),
        fitted.Column("target", [one.schema_.target or "–" for one in answers], 8, optional=True),
        fitted.Column("bytes", [size(one.bytes) for one in answers], optional=True),
        fitted.Column("columns", [str(len(one.schema_.columns)) for one in answers], optional=True),
    ]
    return fitted.table(columns, width)


def dataset(answer: Dataset) -> RenderableType:
    table = _table("column", "kind", "missing", "distinct", "content")
    for column in answer.schema_.columns:
        inside = ""
        if column.classes and column.counts:
            pairs = list(zip(column.classes, column.counts, strict=True))
            inside = ", ".join(f"{name} {count}" for name, count in pairs[:8]) + (" …" if len(pairs) > 8 else "")
        elif column.shape:
            inside = " × ".join(map(str, column.shape))
        elif column.mean is not None:
            inside = f"{number(column.min)} to {number(column.max)}, mean {number(column.mean)}"
        elif column.vocabulary is not None:
            inside = f"{column.vocabulary:,} words, up to {column.max_length} in a row"
        mark = " (target)" if column.name == answer.schema_.target else ""
        distinct = "many" if column.distinct is None else str(column.distinct)
        table.add_row(Text(column.name + mark), column.kind, str(column.missing), distinct, Text(inside))
    facts = _facts()
    facts.add_row("dataset", Text(answer.id))
    facts.add_row("name", Text(answer.name))
    facts.add_row("file", f"{answer.format}, {size(answer.bytes)}")
    facts.add_row("rows", f"{answer.rows:,}")
    facts.add_row("target", Text(answer.schema_.target or "–"))
    return Group(facts, table, *_warnings(answer.warnings))


def preview(answer: Preview) -> Table:
    table = _table(*answer.columns)
    for row in answer.rows:
        table.add_row(*(Text(cell if isinstance(cell, str) else json.dumps(cell), overflow="ellipsis") for cell in row))
    return table


def catalog(answer: Catalog) -> Table:
    table = _table("shelf", "kind", "description")
    for shelf, parts in _shelves(answer):
        for place, part in enumerate(parts):
            table.add_row(Text("" if place else shelf, style="bold"), Text(part.kind), Text(part.summary))
        if parts:
            table.add_section()
    return table


def parts(answer: Catalog, kind: str) -> list[tuple[str, PartInfo]]:
    """(shelf, part) for each part of this kind. Several shelves may have one."""
    return [(shelf, part) for shelf, parts in _shelves(answer) for part in parts if part.kind == kind]


def workers(answers: Sequence[Worker], width: int) -> Table:
    """One line per worker, at most `width` characters wide."""
    columns = [
        fitted.ids("id", [one.id for one in answers]),
        fitted.Column("state", [Text(one.state, "green" if one.state == "active" else "yellow") for one in answers]),
        fitted.Column("slots", [f"{len(one.running)}/{one.slots}" for one in answers]),
        fitted.Column("running", [_running(one, whole=width >= 160) for one in answers], fitted.SHORT_ID),
        fitted.Column("host", [one.host for one in answers], 8, optional=True),
        fitted.Column("devices", [", ".join(device.name for device in one.devices) for one in answers], 12, True),
        fitted.Column("heartbeat", [ago(one.heartbeat_at) for one in answers], optional=True),
    ]
    return fitted.table(columns, width)


def _running(worker: Worker, *, whole: bool) -> str:
    """The ids of the worker's jobs. If not `whole`, they are shortened; commands accept the short ids."""
    return ", ".join(id if whole else id[: fitted.SHORT_ID] for id in worker.running) or "–"


def predictions(answer: Predictions, rows: Sequence[Any]) -> Table:
    table = _table("row", "prediction", "probability")
    for row, one in zip(rows, answer.predictions, strict=False):
        shown = row if isinstance(row, str) else json.dumps(row)
        predicted = (
            number(float(one["value"])) if "value" in one else one.get("label", one.get("text", one.get("tags")))
        )
        probability = one.get("probabilities", {}).get(one.get("label"))
        table.add_row(
            Text(shown if len(shown) <= 60 else shown[:59] + "…"),
            Text(str(predicted), style="bold"),
            "" if probability is None else f"{probability:.0%}",
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        # Users copy ids, so an id is never broken into two lines.
        table.add_column(Text(name), no_wrap=name in {"id", "kind", "state"}, overflow="fold")
    return table


def _facts() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    return table


def _shelves(answer: Catalog) -> list[tuple[str, list[PartInfo]]]:
    return list(answer.shelves().items())
