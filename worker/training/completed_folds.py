"""The completed folds of a cross-validation."""

from dataclasses import dataclass, field

Metrics = dict[str, float]


@dataclass
class CompletedFolds:
    """Plain numbers: it is saved as JSON, beside the state of the loop."""

    folds: int = 0
    """The number of completed folds."""
    steps: int = 0
    """Their steps, all together."""
    tests: list[Metrics] = field(default_factory=list)
    """Metrics of the test part of each, also of the fold that just reached its end."""
    baselines: list[Metrics] = field(default_factory=list)
    """Metrics of the baseline on the same rows."""


def mean(metrics: list[Metrics]) -> Metrics:
    """The mean of each metric over those that have it: r2 is not defined where all targets are equal."""
    names = dict.fromkeys(name for one in metrics for name in one)
    having = {name: [one[name] for one in metrics if name in one] for name in names}
    return {name: sum(values) / len(values) for name, values in having.items()}
