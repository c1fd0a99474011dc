"""The trainings of a job that came before the one that is on: of a cross-validation there are several."""

from dataclasses import dataclass, field

Measured = dict[str, float]


@dataclass
class CompletedFolds:
    """Plain numbers: it is saved as JSON, beside the memory of the loop."""

    folds: int = 0
    """Trainings that are over."""
    steps: int = 0
    """Their steps."""
    tests: list[Measured] = field(default_factory=list)
    """What the test part of each training gave, also of the one that just reached its end."""
    baselines: list[Measured] = field(default_factory=list)
    """What takes no learning, on the same rows."""


def mean(measured: list[Measured]) -> Measured:
    """The mean of each measure over those that have it: r2 is not defined where all targets are equal."""
    names = dict.fromkeys(name for one in measured for name in one)
    having = {name: [one[name] for one in measured if name in one] for name in names}
    return {name: sum(values) / len(values) for name, values in having.items()}
