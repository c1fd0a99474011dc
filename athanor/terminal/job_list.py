"""The list of jobs as a table: one line per job, and as many columns as fit into the terminal."""

from collections import Counter
from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text

from athanor.contract import Job, State
from athanor.terminal import fitted
from athanor.terminal.display import COLOURS, ago, checkpoint_series, is_stopped_early, kind
from athanor.terminal.fitted import GAP, SHORT_ID
from athanor.terminal.remarks import COLORS, ORDER
from athanor.terminal.tables import number

SHORT_NAME = 8
FEW = 2
"""Ids of a note about several jobs."""

Cells = Callable[[Job], str]


def table(jobs: Sequence[Job], width: int) -> Table:
    """A table at most `width` characters wide. Commands accept the shortened ids."""
    columns: dict[str, Cells] = {
        "id": lambda job: job.id[:SHORT_ID],
        "name": lambda job: job.name or "–",
        "state": _state,
        "step": _step,
        "best": best,
    }
    sizes = {name: _size(name, cells, jobs) for name, cells in columns.items()}
    least = min(SHORT_NAME, sizes["name"])
    free = width - sum(sizes.values()) + sizes["name"] - least - GAP * (len(sizes) - 1)
    extra: list[tuple[str, Cells]] = [
        ("created", lambda job: ago(job.created_at)),
        ("architecture", kind),
        ("dataset", lambda job: job.dataset_id[:SHORT_ID]),
        ("id", lambda job: job.id),
        ("dataset", lambda job: job.dataset_id),
    ]
    for name, cells in extra:
        grown = _size(name, cells, jobs)
        cost = grown - sizes[name] if name in sizes else grown + GAP
        if cost <= free:
            free -= cost
            columns[name], sizes[name] = cells, grown
        elif name not in sizes:
            break
    sizes["name"] = min(sizes["name"], least + max(0, free))
    # If there is no room, the column `best` is cut; ids, states and steps are not.
    sizes["best"] = max(len("best"), sizes["best"] + min(0, free))
    return fitted.draw([_column(name, cells, jobs) for name, cells in columns.items()], sizes)


def notes(jobs: Sequence[Job]) -> list[Text]:
    """The reasons why queued jobs of the list wait, and what was found of ended ones, one line each."""
    reasons = Counter(job.waiting.reason for job in jobs if job.waiting)
    waiting = [
        Text(f"{count} {'job waits' if count == 1 else 'jobs wait'}: {reason}", style=COLOURS[State.QUEUED])
        for reason, count in reasons.items()
    ]
    return waiting + _findings(jobs)


def _findings(jobs: Sequence[Job]) -> list[Text]:
    """The jobs of each rule, the worst rules first. What is only of interest is left to `athanor show`."""
    found: dict[tuple[str, str], list[str]] = {}
    for job in jobs:
        for each in job.findings:
            if each.severity != "info":
                found.setdefault((each.severity, each.rule), []).append(job.id[:SHORT_ID])
    ordered = sorted(found.items(), key=lambda each: (ORDER.index(each[0][0]), each[0][1]))
    return [Text(f"{rule}: {_some(ids)}", COLORS[severity]) for (severity, rule), ids in ordered]


def _some(ids: list[str]) -> str:
    more = f" and {len(ids) - FEW} more" if len(ids) > FEW else ""
    return ", ".join(ids[:FEW]) + more


def best(job: Job) -> str:
    """The best value of the checkpoint series. For cross-validation, the mean of the test results of the folds."""
    name = checkpoint_series(job)
    if job.folds is not None:
        test = "test/" + name.rpartition("/")[2]
        spread = job.folds.series.get(test)
        return f"{number(spread.mean)} mean {test}" if spread else "–"
    point = job.best.get(name)
    return f"{number(point.value)} {name}" if point else "–"


def _state(job: Job) -> str:
    """The state; for a queued job also its place in the queue, such as `queued #3`."""
    return f"{job.state} #{job.waiting.place}" if job.waiting else str(job.state)


def _step(job: Job) -> str:
    at = f"{_short(job.progress.step)}/{_short(job.progress.steps)}"
    return f"{at} early" if is_stopped_early(job) else at


def _short(count: int) -> str:
    """Shorten numbers from 100,000 on: 123456 is 123k, 1000000 is 1.0M."""
    if count < 100_000:
        return str(count)
    return f"{count / 1e3:.0f}k" if count < 999_500 else f"{count / 1e6:.1f}M"


def _size(name: str, cells: Cells, jobs: Sequence[Job]) -> int:
    return _column(name, cells, jobs).size


def _column(name: str, cells: Cells, jobs: Sequence[Job]) -> fitted.Column:
    styles = [COLOURS[job.state] if name == "state" else "" for job in jobs]
    texts = [Text(cells(job).replace("\n", " "), style) for job, style in zip(jobs, styles, strict=True)]
    return fitted.Column(name, texts)
