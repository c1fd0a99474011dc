"""Lists of datasets and of workers: one line each, in the width that there is."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from athanor.contract import Dataset, Worker
from athanor.terminal import display
from tests.athanor.answers import a_dataset

ID = "01932c07f1b17d3c9a5e0f6b2d8c4e17"
HEARTBEAT = "2026-01-02T03:04:05.678Z"


def _lines(table: Table, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip() and "─" not in line]


def _datasets() -> list[Dataset]:
    long = "measurements of all the houses of a town, second edition"
    rows = [a_dataset(id=f"ds_{ID}", name=long, rows=12_345_678), a_dataset(id="digits", name="digits")]
    return [Dataset.model_validate(row) for row in rows]


def _workers() -> list[Worker]:
    said = {"pid": 1, "version": "0.2.0", "mode": "local", "started_at": HEARTBEAT, "heartbeat_at": HEARTBEAT}
    said |= {"devices": [{"kind": "cpu", "name": "A Long Name of a Processor @ 2.50GHz"}], "slots": 2}
    busy = {"id": f"wrk_{ID}", "host": "compute-node-17.cluster.example", "state": "active", "running": [f"job_{ID}"]}
    idle = {"id": f"wrk_{ID[::-1]}", "host": "b", "state": "draining", "running": []}
    return [Worker.model_validate(said | each) for each in (busy, idle)]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_a_dataset_is_one_line(width: int) -> None:
    head, *rows = _lines(display.datasets(_datasets(), width), width)
    assert head.split()[:4] == ["id", "name", "format", "rows"]
    assert len(rows) == 2 and max(map(len, rows)) <= width
    assert rows[0].startswith(f"ds_{ID}"[:20]) and "measurements of" in rows[0] and "12,345,678" in rows[0]
    assert rows[1].split()[:4] == ["digits", "digits", "csv", "40"]


@pytest.mark.parametrize("width", [80, 100, 120, 160, 250])
def test_a_worker_is_one_line(width: int) -> None:
    head, *rows = _lines(display.workers(_workers(), width), width)
    assert head.split()[:3] == ["id", "state", "slots"]
    assert len(rows) == 2 and max(map(len, rows)) <= width
    assert rows[0].startswith(f"wrk_{ID}"[:20]) and f"job_{ID}"[:20] in rows[0] and "active" in rows[0]
    assert "1/2" in rows[0] and "compute" in rows[0]


def test_an_id_is_whole_where_there_is_room_and_never_cut_elsewhere_than_at_its_start() -> None:
    for width in range(60, 250, 7):
        row = _lines(display.datasets(_datasets(), width), width)[1]
        assert row.split()[0] in (f"ds_{ID}"[:20], f"ds_{ID}"), width
    assert f"ds_{ID}" in _lines(display.datasets(_datasets(), 200), 200)[1]
    assert f"wrk_{ID}" in _lines(display.workers(_workers(), 250), 250)[1]
