"""A study: jobs on a real service, their results, and the bar (required value) from the literature."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from athanor.client import Client
from athanor.contract import Job
from athanor.errors import AthanorError

SEEDS = (0, 1, 2)


@dataclass
class Lab:
    """What a study uses: a client, the folder `data` with its input files, and the folder `scratch` for new files."""

    client: Client
    data: Path
    scratch: Path
    specs: list[dict[str, Any]] = field(default_factory=list)
    """The first spec of each architecture, with every default filled in."""

    def upload(self, path: Path) -> str:
        """Upload a file. Returns the id of the dataset."""
        return self.client.upload(path).id

    def train(self, specs: Iterable[Mapping[str, Any]]) -> list[Job]:
        """Train jobs and return them. Raises AthanorError if one does not succeed."""
        jobs = [self.client.submit(spec) for spec in specs]
        for job in jobs:
            if all(job.spec["architecture"] != known["architecture"] for known in self.specs):
                self.specs.append(job.spec)
        ended = [self.client.wait(job.id) for job in jobs]
        for job in ended:
            if job.state != "succeeded":
                raise AthanorError(f"{job.id} was {job.state}")
        return ended


@dataclass(frozen=True)
class Row:
    """A line of the table: values over seeds or folds. Their mean is compared with `bar`."""

    what: str
    published: str
    values: list[float]
    bar: float
    unit: Literal["%", "F1", "nats", "dB", "of the error", "R²"]
    better: Literal["more", "less"] = "more"
    digits: int = 2
    """Printed digits after the decimal point."""
    beside: dict[str, list[float]] = field(default_factory=dict)
    """Other values by name: those from which `values` are computed, or a comparison."""

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def reached(self) -> bool:
        return self.mean >= self.bar if self.better == "more" else self.mean <= self.bar


@dataclass(frozen=True)
class Study:
    """Rows that share their data and their source."""

    paper: str
    how: str
    """How the values are computed, in a sentence."""
    measure: Callable[[Lab], list[Row]]
