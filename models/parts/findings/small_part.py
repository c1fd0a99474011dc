"""A part with too few rows to tell how good the network is."""

from typing import Literal

from athanor.contract import Evidence, Finding
from models.parts.finding import FindingRule, JobResults


class SmallPart(FindingRule):
    """The part that gives the result has too few rows: other rows could give a rather different result.

    It computes the 95 % interval of the first metric that has one: for a share of the rows, Wilson's; for a mean error,
    from its standard error. It is a warning if the baseline is in the interval, and an info if the interval is wide.
    """

    kind: Literal["small_part"] = "small_part"

    def judge(self, job: JobResults) -> Finding | None:
        result = next((each for each in job.results if each.estimate is not None), None)
        if result is None or result.estimate is None:
            return None
        low, high = result.estimate.bounds(result.value, result.rows)
        wide = result.estimate.half_width(result.value, result.rows) > result.estimate.widest
        covers = result.baseline is not None and result.beats_baseline and low <= result.baseline <= high
        if not wide and not covers:
            return None
        part = result.series.partition("/")[0]
        interval = f"{low:.3g} to {high:.3g}"
        explanation = f"{result.series} is {result.value:.4g} on {result.rows:,} rows; its 95 % interval is {interval}"
        numbers = {result.series: result.value, "rows": float(result.rows), "low": low, "high": high}
        if covers and result.baseline is not None:
            explanation += f", and the baseline, {result.baseline:.4g}, is in it: it may not be beaten"
            numbers["baseline"] = result.baseline
        return Finding(
            rule=self.kind,
            severity="warning" if covers else "info",
            steps=[job.step, job.step],
            evidence=Evidence(series=[result.series], numbers=numbers),
            explanation=explanation,
            suggestion=_suggestion(job, part),
        )


def _suggestion(job: JobResults, part: str) -> str:
    if len(job.trainings) > 1:
        return "every row was tested; only more rows can tell more"
    return f"a larger {part} part, or split.kind = folds, which tests on every row; else more rows"
