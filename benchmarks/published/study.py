"""What a study is: jobs submitted to a real service, their results, and the bar from the literature."""

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
    """A service, the folder of data that were named, and one for what is made from them."""

    client: Client
    data: Path
    scratch: Path
    specs: list[dict[str, Any]] = field(default_factory=list)
    """As accepted, with every default filled in: the first of each architecture."""

    def upload(self, path: Path) -> str:
        """The id of a dataset."""
        return self.client.upload(path).id

    def train(self, specs: Iterable[Mapping[str, Any]]) -> list[Job]:
        """The jobs, once they have all succeeded. Raises AthanorError."""
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
    """A line of the table: values over seeds or folds, their mean, and the bar it is held against."""

    what: str
    published: str
    values: list[float]
    bar: float
    unit: Literal["%", "F1", "nats", "dB", "of the error", "R²"]
    better: Literal["more", "less"] = "more"
    digits: int = 2
    """After the point, where it is printed."""
    beside: dict[str, list[float]] = field(default_factory=dict)
    """What `values` were made from or are compared with."""

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
