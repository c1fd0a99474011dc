"""The completed folds of a cross-validation."""

from dataclasses import dataclass, field

Metrics = dict[str, float]


@dataclass
class CompletedFolds:
    """Results of the completed folds. They are saved as JSON with the state of the loop."""

    folds: int = 0
    """The number of completed folds."""
    steps: int = 0
    """The number of steps of all completed folds together."""
    tests: list[Metrics] = field(default_factory=list)
    """Test metrics of each completed fold, and of the current fold once it has ended."""
    baselines: list[Metrics] = field(default_factory=list)
    """Metrics of the baseline on the same rows."""


def mean(metrics: list[Metrics]) -> Metrics:
    """The mean of each metric over the folds that have it. r2, for example, is undefined if all targets are equal."""
    names = dict.fromkeys(name for one in metrics for name in one)
    having = {name: [one[name] for one in metrics if name in one] for name in names}
    return {name: sum(values) / len(values) for name, values in having.items()}
