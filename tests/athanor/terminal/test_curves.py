"""Curves from the command line."""

import json
import sys
from pathlib import Path

import pytest

from athanor.contract import Series
from athanor.terminal.curves import text_plot
from tests.athanor.answers import a_job, points
from tests.athanor.command_line import run
from tests.athanor.stub import Asked, Reply, Stub, as_json

STEPS = list(range(1, 101))


@pytest.fixture
def service(stub: Stub) -> Stub:
    whole = points(
        100,
        train_loss=(STEPS, [1 / step for step in STEPS]),
        val_loss=([50, 100], [0.5, 0.25]),
        test_loss=([100], [0.3]),
    )

    def metrics(asked: Asked) -> Reply:
        names = asked.query.get("series", list(whole["series"]))
        return as_json(
            {"series": {name: whole["series"][name] for name in names if name in whole["series"]}, "next": 1}
        )

    stub.on("GET", "/v1/jobs/job_1", as_json(a_job()))
    stub.on("GET", "/v1/jobs/job_1/metrics", metrics)
    return stub


def test_the_training_and_validation_series_are_plotted(service: Stub) -> None:
    result = run(service, "plot", "job_1")
    assert result.exit_code == 0, result.output
    assert "train/loss  (100 points)" in result.stdout and "val/loss  (2 points)" in result.stdout
    assert "test/loss" not in result.stdout
    assert service.asked[-1].query == {"max_points": ["2000"]}


def test_a_picture_is_written(service: Stub, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert run(service, "plot", "job_1", "-o", "curves.png").stdout == "curves.png\n"
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    refused = run(service, "plot", "job_1", "-o", "curves.xyz")
    assert refused.exit_code == 1
    assert "curves.xyz: Format 'xyz' is not supported" in refused.stderr


def test_a_picture_without_matplotlib(service: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run(service, "plot", "job_1", "-o", "curves.png")
    assert result.exit_code == 1
    assert "an image needs matplotlib: pip install matplotlib" in result.stderr


def test_the_series_that_were_named(service: Stub) -> None:
    said = json.loads(run(service, "plot", "job_1", "--series", "test/loss", "--json").stdout)
    assert list(said["series"]) == ["test/loss"]
    refused = run(service, "plot", "job_1", "--series", "val/los")
    assert refused.exit_code == 1
    assert "job_1 has no points of val/los; its series: test/loss, train/loss, val/loss" in refused.stderr


def test_a_job_without_points(stub: Stub) -> None:
    stub.on("GET", "/v1/jobs/job_1", as_json(a_job()))
    stub.on("GET", "/v1/jobs/job_1/metrics", as_json(points(0)))
    result = run(stub, "plot", "job_1")
    assert result.exit_code == 1 and "job_1 has no points yet" in result.stderr


def _plot(steps: list[int], values: list[float], width: int = 40) -> list[str]:
    lines = list(text_plot("val/loss", Series(steps=steps, values=values, times=[0.0] * len(steps)), width, height=5))
    assert max(map(len, lines)) <= width
    return lines


def test_a_plot_in_the_terminal() -> None:
    assert _plot([10, 20, 30, 40, 50], [5, 4, 3, 2, 1], width=24) == [
        "val/loss  (5 points)",
        "5 │•",
        "  │     •",
        "  │          •",
        "  │               •",
        "1 │                    •",
        "  └─────────────────────",
        "   10            step 50",
    ]


@pytest.mark.parametrize(
    "values", [[1.0, 1.0, 1.0], [float("nan"), 2.0, float("inf")], [-1.5e308, 1.7e308, 1.0], [0.0, 5e-324, 0.0]]
)
def test_odd_values_are_plotted(values: list[float]) -> None:
    assert any("•" in line for line in _plot([1, 2, 3], values))


def test_a_series_without_a_number() -> None:
    assert _plot([1, 2], [float("nan"), float("inf")])[1:] == ["  no value is a finite number"]
