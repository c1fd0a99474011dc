"""A finding: what a rule says about the results of a job."""

from typing import Literal

from pydantic import Field

from athanor.contract.base import Answer

Interval = Literal["proportion", "error"]
"""How the uncertainty of a metric follows from the number of rows: of a share of the rows, or of a mean error."""


class Evidence(Answer):
    series: list[str] = Field(default_factory=list, description="the series that the rule has read")
    numbers: dict[str, float] = Field(default_factory=dict, description="the numbers that decided")


class Finding(Answer):
    """What a rule says about the results of a job. The rules are in the catalog."""

    rule: str = Field(description="a rule of the catalog, on the shelf `findings`")
    severity: Literal["info", "warning", "problem"]
    steps: list[int] = Field(description="the first and the last step that it is about")
    evidence: Evidence
    explanation: str
    suggestion: str | None = None
