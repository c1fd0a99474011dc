"""A part with few rows."""

import pytest

from models.parts.finding import Result
from models.parts.findings.small_part import SmallPart
from tests.job_results import accuracy, results, rmse, training


def test_few_rows_make_a_wide_interval() -> None:
    found = SmallPart().judge(results(accuracy(14 / 15, 5 / 15, rows=15)))
    assert found is not None and found.severity == "info"
    # Wilson's interval of 14 of 15, as scipy computes it.
    assert (found.evidence.numbers["low"], found.evidence.numbers["high"]) == pytest.approx((0.7018, 0.9881), abs=1e-3)
    assert "15 rows" in found.explanation and "0.702 to 0.988" in found.explanation
    assert found.suggestion is not None and "a larger test part" in found.suggestion


def test_the_baseline_may_be_in_the_interval() -> None:
    found = SmallPart().judge(results(accuracy(0.97, 0.96, rows=400)))
    assert found is not None and found.severity == "warning" and "the baseline, 0.96, is in it" in found.explanation
    assert SmallPart().judge(results(accuracy(0.97, 0.96, rows=4000))) is None


@pytest.mark.parametrize(("rows", "says"), [(30, True), (35, False)])
def test_an_error_of_few_rows(rows: int, says: bool) -> None:
    found = SmallPart().judge(results(rmse(2000.0, 9000.0, rows)))
    assert (found is not None) == says


@pytest.mark.parametrize(
    "result",
    [
        accuracy(0.97, 0.1, rows=1000),
        # What is below its baseline is not known too badly, it is bad; another rule says so.
        accuracy(0.94, 0.95, rows=1000),
        accuracy(0.9, 0.1, rows=0),
        Result("test/accuracy", 0.9, "max", 0.1, 10, None),
        rmse(0.0, 1.0, 100),
    ],
)
def test_nothing_to_say(result: Result) -> None:
    assert SmallPart().judge(results(result)) is None


def test_the_validation_part_stands_in_and_folds_are_whole() -> None:
    found = SmallPart().judge(results(accuracy(0.9, 0.1, rows=10, series="val/accuracy")))
    assert found is not None and found.suggestion is not None and "a larger val part" in found.suggestion
    found = SmallPart().judge(results(accuracy(0.9, 0.1, rows=10), trainings=[training(), training()]))
    assert found is not None and found.suggestion is not None and "folds" not in found.suggestion
