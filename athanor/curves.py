"""Training and validation curves as a picture."""

from collections.abc import Mapping
from pathlib import Path

from athanor.contract import Metrics, Series


def draw(jobs: Mapping[str, Metrics], path: Path) -> None:
    """A row of loss and accuracy for every job, by name. Raises ImportError without matplotlib."""
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


def smoothed(series: Series, keep: float = 0.9) -> list[float]:
    """Exponential moving average, corrected for its start as in Adam."""
    mean, weight, values = 0.0, 0.0, []
    for value in series.values:
        mean, weight = keep * mean + (1 - keep) * value, keep * weight + (1 - keep)
        values.append(mean / weight)
    return values
