"""The demo from start to stop, beside a furnace that only pretends to burn."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from athanor.contract import Series
from athanor.demo.run import INK, PICTURES
from athanor.terminal.curves import smoothed

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def furnace(tmp_path: Path) -> Path:
    """A working folder in which `athanor up` finds the pretended service first."""
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "__init__.py").touch()
    (tmp_path / "api" / "up.py").write_text("from tests.athanor.furnace import main\n\nmain()\n")
    (tmp_path / "tmp").mkdir()
    return tmp_path


def _start(folder: Path, wrong: str = "") -> subprocess.Popen[str]:
    environment = os.environ | {
        "PYTHONPATH": str(CHECKOUT),
        "FURNACE": wrong,
        "TMPDIR": str(folder / "tmp"),
        "ATHANOR_URL": "http://192.0.2.1:1",
        "ATHANOR_KEY": "of-another-service",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "athanor.demo", "--out", "out"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background were told to ignore Ctrl-C, and would pass that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _cleaned(folder: Path) -> bool:
    return not any(path.name.startswith("athanor-demo-") for path in (folder / "tmp").iterdir())


def test_the_demo_tells_its_story_and_cleans_up(furnace: Path) -> None:
    demo = _start(furnace)
    said, complaints = demo.communicate(timeout=60)
    assert demo.returncode == 0, complaints
    for word in ("test accuracy", "95.0%", "75.0%", "equals the ETag", "asyncio", "drawn by hand", "service stopped"):
        assert word in said
    assert {path.name for path in (furnace / "out").iterdir()} == {
        "digits.safetensors",
        "docstrings.safetensors",
        "curves.png",
    }
    assert (furnace / "stopped").exists()
    assert _cleaned(furnace)


@pytest.mark.parametrize(
    ("wrong", "message"), [("stops", "the database is broken"), ("fails", "the loss is NaN (diverged)")]
)
def test_a_failure_is_said_and_leaves_nothing_behind(furnace: Path, wrong: str, message: str) -> None:
    demo = _start(furnace, wrong)
    _, complaints = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert message in complaints
    assert "Traceback" not in complaints
    assert _cleaned(furnace)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_stops_its_service(furnace: Path, number: signal.Signals) -> None:
    demo = _start(furnace, "lasts")
    assert demo.stdout is not None
    for line in demo.stdout:
        if "running" in line:
            break
    demo.send_signal(number)
    started = time.monotonic()
    _, complaints = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert "interrupted" in complaints
    assert time.monotonic() - started < 10
    assert (furnace / "stopped").exists()
    assert _cleaned(furnace)


def test_the_pictures_are_eight_by_eight() -> None:
    for drawing in PICTURES.values():
        assert [len(line) for line in drawing.split()] == [8] * 8
        assert set(drawing) - {" "} <= set(INK)


def test_smoothing_starts_at_the_first_value() -> None:
    series = Series(steps=[1, 2, 3], values=[4.0, 4.0, 4.0], times=[0.0, 1.0, 2.0])
    assert smoothed(series) == pytest.approx([4.0, 4.0, 4.0])
