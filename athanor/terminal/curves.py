"""Plots of training and validation series, as an image file or as text."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from athanor.contract import Metrics, Series


def draw(jobs: Mapping[str, Metrics], path: Path) -> None:
    """Write an image with one row per job: its loss and its accuracy. Raises ImportError without matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2 * len(jobs)), layout="constrained")
    grid = figure.subplots(len(jobs), 2, squeeze=False)
    for (name, metrics), axes in zip(jobs.items(), grid, strict=True):
        for what, axis in zip(("loss", "accuracy"), axes, strict=True):
            axis.set_title(f"{name}: {what}")
            axis.set_xlabel("step")
            axis.grid(alpha=0.3)
            for part, color in (("train", "tab:blue"), ("val", "tab:orange")):
                series = metrics.series.get(f"{part}/{what}")
                if series is None or not series.steps:
                    continue
                if part == "train":
                    axis.plot(series.steps, series.values, color=color, alpha=0.25, linewidth=0.8)
                    axis.plot(series.steps, smoothed(series), color=color, label="training, smoothed")
                else:
                    axis.plot(series.steps, series.values, color=color, marker="o", label="validation")
            if axis.lines:
                axis.legend()
    figure.savefig(path, dpi=120)


def plot(title: str, metrics: Metrics, path: Path) -> None:
    """Write an image with one panel per metric: train/loss and val/loss share a panel.

    The suffix of `path` is the format: png, svg or pdf. Raises ImportError without matplotlib, and ValueError for
    another suffix.
    """
    from matplotlib.figure import Figure

    panels: dict[str, dict[str, Series]] = defaultdict(dict)
    for name, series in metrics.series.items():
        panels[name.rpartition("/")[2]][name] = series
    figure = Figure(figsize=(8, 3.2 * len(panels)), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(len(panels), 1, squeeze=False)
    for (measure, lines), (axis,) in zip(panels.items(), grid, strict=True):
        axis.set_xlabel("step")
        axis.set_ylabel(measure)
        axis.grid(alpha=0.3)
        for name, series in lines.items():
            # A line through a single point is not visible, so short series have markers.
            axis.plot(series.steps, series.values, label=name, marker="o" if len(series.steps) <= 50 else None)
        axis.legend()
    figure.savefig(path, dpi=120)


def text_plot(name: str, series: Series, width: int, height: int = 10) -> Iterator[str]:
    """Yield the lines of a text plot at most `width` characters wide, with steps on the horizontal axis.

    Each column shows the mean of its points. Values that are not finite are left out.
    """
    points = [point for point in zip(series.steps, series.values, strict=True) if math.isfinite(point[1])]
    yield f"{name}  ({len(series.steps)} points)"
    if not points:
        yield "  no value is a finite number"
        return
    first, last = points[0][0], points[-1][0]
    margin = max(len(f"{value:.4g}") for _, value in points)
    columns = max(1, width - margin - 2)
    gathered: dict[int, list[float]] = defaultdict(list)
    for step, value in points:
        gathered[round((step - first) / max(1, last - first) * (columns - 1))].append(value)
    # Divide before the sum, because the sum of large values may be infinite.
    means = {column: sum(value / len(values) for value in values) for column, values in gathered.items()}
    low, high = min(means.values()), max(means.values())
    rows = [[" "] * columns for _ in range(height)]
    for column, mean in means.items():
        span = high / 2 - low / 2
        share = (mean / 2 - low / 2) / span if span > 0 else 0.5
        rows[height - 1 - round(share * (height - 1))][column] = "•"
    for number, row in enumerate(rows):
        mark = f"{high:.4g}" if number == 0 else f"{low:.4g}" if number == height - 1 else ""
        yield f"{mark:>{margin}} │{''.join(row)}".rstrip()
    yield " " * margin + " └" + "─" * columns
    yield " " * (margin + 2) + f"{first}{f'step {last}':>{max(1, columns - len(str(first)))}}"


def smoothed(series: Series, keep: float = 0.9) -> list[float]:
    """Exponential moving average, corrected for its start as in Adam."""
    mean, weight, values = 0.0, 0.0, []
    for value in series.values:
        mean, weight = keep * mean + (1 - keep) * value, keep * weight + (1 - keep)
        values.append(mean / weight)
    return values
