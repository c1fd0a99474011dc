"""The live view, on a terminal and off it."""

import io

import pytest
from rich.console import Console

from athanor.contract import Job, Metrics
from athanor.terminal.display import duration, size
from athanor.terminal.live import Board
from tests.athanor.answers import a_job, points


def _board(terminal: bool, every: float = 3.0) -> tuple[Board, io.StringIO]:
    out = io.StringIO()
    return Board(Console(file=out, force_terminal=terminal, width=160, highlight=False), every), out


def test_a_terminal_sees_a_bar_for_every_job() -> None:
    board, out = _board(terminal=True)
    with board:
        board.update(Job.model_validate(a_job(name="[odd] one")))
        board.update(Job.model_validate(a_job(id="job_2", name=None, state="queued", latest={})))
    for word in ("[odd] one", "mlp on digits", "30/60", "0.25", "0.875", "eta 12 s", "━"):
        assert word in out.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_name_is_not_squeezed(width: int) -> None:
    out = io.StringIO()
    board = Board(Console(file=out, force_terminal=True, color_system=None, width=width, highlight=False))
    with board:
        board.update(Job.model_validate(a_job(name="sentiment of reviews")))
        board.update(Job.model_validate(a_job(id="job_2", name="a name of a job that is far too long to be shown")))
    shown = out.getvalue()
    assert "sentiment of reviews" in shown and "a name of a job tha" in shown
    for word in ("running", "30/60", "0.875", "eta 12 s"):
        assert word in shown, word


def test_elsewhere_a_line_comes_now_and_then_and_at_every_change_of_state() -> None:
    board, out = _board(terminal=False, every=60.0)
    with board:
        for _ in range(5):
            board.update(Job.model_validate(a_job()))
        for _ in range(3):
            board.update(Job.model_validate(a_job(state="succeeded")))
    assert [line.split("  ")[1] for line in out.getvalue().splitlines()] == ["running", "succeeded"]


def test_the_newer_of_two_readings_is_shown() -> None:
    board, out = _board(terminal=False)
    with board:
        board.update(Job.model_validate(a_job()), Metrics.model_validate(points(31, train_loss=([20, 31], [9.0, 0.5]))))
    assert "train/loss 0.5 " in out.getvalue()
    board, out = _board(terminal=False)
    with board:
        board.update(Job.model_validate(a_job()), Metrics.model_validate(points(20, train_loss=([20], [9.0]))))
    assert "train/loss 0.25 " in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.4, "0 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (273_600, "3 d 04 h")],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB")])
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words
