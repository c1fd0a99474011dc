"""The metrics of a job: series of points."""

from bisect import bisect_left

from pydantic import Field

from athanor.contract.base import Answer


class Point(Answer):
    step: int
    value: float


class Series(Answer):
    """Points in columns of equal length, by step."""

    steps: list[int]
    values: list[float]
    times: list[float] = Field(description="seconds since 1970, UTC")

    def followed_by(self, newer: "Series") -> "Series":
        """This series with the points of a later answer.

        A job that resumes computes the points after its checkpoint again, and they are sent again: where `newer` goes
        back to a step that is here, its points take the place of all from that step on.
        """
        kept = bisect_left(self.steps, newer.steps[0]) if newer.steps else len(self.steps)
        return Series(
            steps=self.steps[:kept] + newer.steps,
            values=self.values[:kept] + newer.values,
            times=self.times[:kept] + newer.times,
        )


class Metrics(Answer):
    series: dict[str, Series]
    next: int = Field(description="the newest point's sequence number: give it as after= to receive only newer points")

    def followed_by(self, newer: "Metrics") -> "Metrics":
        """These series with the points of a later answer: see `Series.followed_by`."""
        series = dict(self.series)
        for name, points in newer.series.items():
            series[name] = series[name].followed_by(points) if name in series else points
        return Metrics(series=series, next=newer.next)
