"""The progress of jobs: bars in a terminal, plain lines in a pipe or file."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from athanor.contract import Job, Metrics, Point, State
from athanor.terminal.display import COLOURS, duration, is_stopped_early, kind, waits
from athanor.terminal.tables import number

SECOND = ("test/accuracy", "test/r2", "val/accuracy", "val/f1", "val/r2", "val/loss", "train/accuracy")

WIDE = 120
"""The least width of a terminal, in characters, for a bar and two numbers."""
NAME = 20
"""The number of characters of a job's name that are not cut."""


class Board:
    """One row per job. `update` adds and changes rows. Use it in a `with` block, which restores the terminal."""

    def __init__(self, console: Console, every: float = 3.0) -> None:
        self._console = console
        self._every = every
        self._points: dict[str, dict[str, Point]] = {}
        self._rows: dict[str, TaskID] = {}
        self._printed: dict[str, tuple[float, State]] = {}
        self._is_narrow = console.width < WIDE
        self._bars = Progress(
            # Names tell the jobs apart, so the other columns are cut first.
            _column("{task.description}", min_width=min(NAME, console.width // 4)),
            _column("{task.fields[state]}"),
            *([] if self._is_narrow else [BarColumn(bar_width=24)]),
            _column("{task.completed:.0f}/{task.total:.0f}", justify="right"),
            _column("{task.fields[numbers]}"),
            _column("{task.fields[eta]}", style="dim"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def update(self, job: Job, metrics: Metrics | None = None) -> None:
        """Show a job. For each series, the newer point of `job.latest` and `metrics` is shown."""
        points = self._points.setdefault(job.id, {})
        for name, point in job.latest.items():
            _keep(points, name, point)
        for name, series in (metrics.series if metrics else {}).items():
            if series.steps:
                _keep(points, name, Point(step=series.steps[-1], value=series.values[-1]))
        if self._console.is_terminal:
            self._move(job, points)
        else:
            self._print(job, points)

    def _move(self, job: Job, points: dict[str, Point]) -> None:
        if job.id not in self._rows:
            self._rows[job.id] = self._bars.add_task(
                escape(title(job)), total=1, visible=False, state="", numbers="", eta=""
            )
        self._bars.update(
            self._rows[job.id],
            visible=True,
            completed=job.progress.step,
            total=max(1, job.progress.steps),
            state=f"[{COLOURS[job.state]}]{job.state}[/]",
            numbers="  ".join(
                f"[dim]{name}[/] {value}" for name, value in _numbers(points)[-1 if self._is_narrow else 0 :]
            ),
            eta=_remark(job),
        )

    def _print(self, job: Job, points: dict[str, Point]) -> None:
        now = time.monotonic()
        at, state = self._printed.get(job.id, (-self._every, None))
        if now - at < self._every and state is job.state:
            return
        if state is job.state and job.is_terminal:
            return
        self._printed[job.id] = (now, job.state)
        words = [title(job), str(job.state), f"step {job.progress.step}/{job.progress.steps}"]
        words += [f"{name} {value}" for name, value in _numbers(points)]
        if job.is_terminal or job.waiting or job.progress.eta_seconds is not None:
            words.append(_remark(job))
        self._console.print(Text("  ".join(filter(None, words))), soft_wrap=True)


def title(job: Job) -> str:
    """The job's name. If it has none, its architecture and dataset."""
    return job.name or f"{kind(job)} on {job.dataset_id}"


def _remark(job: Job) -> str:
    if is_stopped_early(job):
        return "stopped early"
    if job.waiting:
        return waits(job.waiting)
    return "" if job.is_terminal else f"eta {duration(job.progress.eta_seconds)}"


def _column(text: str, justify: str = "left", style: str = "none", min_width: int | None = None) -> TextColumn:
    column = Column(no_wrap=True, min_width=min_width)
    return TextColumn(text, style=style, justify="right" if justify == "right" else "left", table_column=column)


def _keep(points: dict[str, Point], name: str, point: Point) -> None:
    if name.startswith("folds/"):
        # Folds are trained one after the other, so the newest point belongs to the current fold.
        name = name.split("/", 2)[2]
    if name not in points or point.step >= points[name].step:
        points[name] = point


def _numbers(points: dict[str, Point]) -> list[tuple[str, str]]:
    """(name, value) of the training loss and of the first series in SECOND that the job has."""
    names = ["train/loss", next((name for name in SECOND if name in points), None)]
    return [(name, number(points[name].value)) for name in names if name is not None and name in points]
