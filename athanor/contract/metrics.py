"""The metrics of a job: series of points."""

from pydantic import Field

from athanor.contract.base import Answer


class Point(Answer):
    step: int
    value: float


class Series(Answer):
    steps: list[int]
    values: list[float]
    times: list[float] = Field(description="seconds since 1970, UTC")


class Metrics(Answer):
    series: dict[str, Series]
    next: int = Field(description="give it as after= to receive only newer points")
