"""The metrics of a job: series of points."""

from bisect import bisect_left

from pydantic import Field

from athanor.contract.base import Answer


class Point(Answer):
    step: int
    value: float


class Series(Answer):
    """The points of a series, ordered by step, as three lists of equal length."""

    steps: list[int]
    values: list[float]
    times: list[float] = Field(description="seconds since 1970, UTC")

    def followed_by(self, newer: "Series") -> "Series":
        """This series extended by the points of a later answer.

        A job that resumes computes the points after its checkpoint again, and sends them again: if `newer` starts at
        an earlier step, its points replace all points from that step on.
        """
        kept = bisect_left(self.steps, newer.steps[0]) if newer.steps else len(self.steps)
        return Series(
            steps=self.steps[:kept] + newer.steps,
            values=self.values[:kept] + newer.values,
            times=self.times[:kept] + newer.times,
        )


class Metrics(Answer):
    series: dict[str, Series]
    next: int = Field(description="sequence number of the newest point; send it as after= to get only newer points")

    def followed_by(self, newer: "Metrics") -> "Metrics":
        """All series extended by the points of a later answer; see `Series.followed_by`."""
        series = dict(self.series)
        for name, points in newer.series.items():
            series[name] = series[name].followed_by(points) if name in series else points
        return Metrics(series=series, next=newer.next)
