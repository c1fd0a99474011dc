"""A result beside its baseline."""

import pytest

from models.parts.finding import Result
from models.parts.findings.below_baseline import BelowBaseline
from tests.job_results import accuracy, results, rmse

F1 = Result("test/f1", 0.6, "max", 0.3, 1000, None)


@pytest.mark.parametrize("result", [accuracy(0.94, 0.95), accuracy(0.95, 0.95), rmse(3.1, 3.0), rmse(3.0, 3.0)])
def test_it_does_not_beat_it(result: Result) -> None:
    found = BelowBaseline().judge(results(result, baseline_kind="majority"))
    assert found is not None and (found.severity, found.steps) == ("problem", [0, 60])
    numbers = dict(found.evidence.numbers)
    assert numbers.pop("low") < result.value < numbers.pop("high") and numbers.pop("rows") == 1000
    assert numbers == {result.series: result.value, f"baseline {result.series}": result.baseline}
    assert "95 % interval on 1,000 rows" in found.explanation
    assert f"{result.value:g}" in found.explanation and f"{result.baseline:g}" in found.explanation
    assert "majority" in found.explanation and found.suggestion


@pytest.mark.parametrize("result", [accuracy(0.96, 0.95), rmse(2.9, 3.0), accuracy(0.5, None), rmse(3.0, float("nan"))])
def test_it_beats_it_or_has_none(result: Result) -> None:
    assert BelowBaseline().judge(results(result)) is None
    assert BelowBaseline().judge(results()) is None


def test_another_metric_may_beat_it() -> None:
    found = BelowBaseline().judge(results(Result("test/loss", 0.2, "min", None, 0, None), accuracy(0.94, 0.95), F1))
    assert found is not None and found.severity == "warning"
    assert found.evidence.series == ["test/accuracy", "test/f1"]
    assert "test/f1 is 0.6, the baseline 0.3" in found.explanation
    assert BelowBaseline().judge(results(accuracy(0.96, 0.95), F1)) is None
