"""A result that does not beat its baseline."""

from typing import Literal

from athanor.contract import Evidence, Finding
from models.parts.finding import FindingRule, JobResults, Result


class BelowBaseline(FindingRule):
    """The result is not better than that of a predictor that does not look at the inputs.

    It compares the first metric of the task on the test part, else the best value on the validation part. It is a
    warning if another metric beats the baseline, as F1 may if one class is rare, and a problem if none does.
    """

    kind: Literal["below_baseline"] = "below_baseline"

    def judge(self, job: JobResults) -> Finding | None:
        compared = job.compared
        if not compared or compared[0].beats_baseline:
            return None
        better = [each for each in compared if each.beats_baseline]
        worst = compared[0]
        explanation = f"{_beside(worst)}: the result does not beat the baseline ({job.baseline_kind})"
        numbers = _numbers(compared)
        if worst.estimate is not None:
            low, high = worst.estimate.bounds(worst.value, worst.rows)
            explanation += f"; its 95 % interval on {worst.rows:,} rows is {low:.3g} to {high:.3g}"
            numbers |= {"rows": float(worst.rows), "low": low, "high": high}
        if better:
            explanation += "; " + ", ".join(f"{_beside(each)}, is better" for each in better)
        return Finding(
            rule=self.kind,
            severity="warning" if better else "problem",
            steps=[0, job.step],
            evidence=Evidence(series=[each.series for each in compared], numbers=numbers),
            explanation=explanation,
            suggestion=(
                "look at the role of each column: a column that says something about the target may be left out; "
                + (
                    "class weights in hyperparameters.loss help a rare class"
                    if better and worst.estimate is not None
                    else "then try another lr, more epochs or another architecture"
                )
            ),
        )


def _beside(result: Result) -> str:
    return f"{result.series} is {result.value:.4g}, the baseline {result.baseline:.4g}"


def _numbers(compared: list[Result]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for each in compared:
        assert each.baseline is not None
        numbers |= {each.series: each.value, f"baseline {each.series}": each.baseline}
    return numbers
