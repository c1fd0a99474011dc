"""Nothing outlives whoever started it, even one who is killed, unless it was told to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[3]
PATIENCE = 30
INTAKE = """
import sys
from pathlib import Path
from models.data.intake import run

folder = Path(sys.argv[1])
run(folder / "pipe", "upload.csv", folder / "rows")
"""
EXPORT = """
import sys
from pathlib import Path
from models.serving.exports.process import run

class Order:
    def model_dump_json(self, by_alias):
        return "{"

run(Order(), Path(sys.argv[1]), 2**36, 600)
"""
HELD = """
import os, time
from athanor.processes.parent_watch import hold

hold(os.fdopen(0, "rb", closefd=False))
print("held", flush=True)
time.sleep(600)
"""

HEEDS = """
import signal, sys, time
from athanor.processes.parent_watch import heed_hangup

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
heed_hangup()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file that whoever reads it reads for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    handle = os.open(pipe, os.O_RDWR)
    yield pipe
    os.close(handle)


@pytest.mark.skipif(sys.platform != "linux", reason="a pipe with a name that is open both ways is Linux's")
@pytest.mark.parametrize(("script", "name"), [(INTAKE, "pipe"), (EXPORT, "order.json")], ids=["intake", "export"])
def test_what_is_done_for_a_stranger_ends_with_who_asked_for_it(script: str, name: str, endless: Path) -> None:
    endless.rename(endless.with_name(name))
    (endless.parent / "weights.safetensors").touch()
    asks = subprocess.Popen([sys.executable, "-c", script, str(endless.parent)], cwd=ROOT)
    children: list[psutil.Process] = []
    try:
        while not (children := psutil.Process(asks.pid).children()):
            assert asks.poll() is None
            time.sleep(0.05)
        asks.kill()
        assert psutil.wait_procs(children, PATIENCE)[1] == []
    finally:
        asks.kill()
        asks.wait()
        for left in psutil.wait_procs(children, 0)[1]:
            left.kill()


def test_who_leads_no_group_ends_alone() -> None:
    neighbor = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, process_group=0)
    held = subprocess.Popen(
        [sys.executable, "-c", HELD],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=neighbor.pid,
    )
    assert held.stdout is not None and held.stdout.readline() == b"held\n"
    held.communicate(timeout=PATIENCE)
    neighbor.communicate(b"\n", PATIENCE)
    assert (held.returncode, neighbor.returncode) == (-9, 0)


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("nohup", [False, True])
def test_a_closed_terminal_ends_it_unless_it_is_to_stay(nohup: bool) -> None:
    words = ["nohup"] * nohup + [sys.executable, "-c", HEEDS]
    heeds = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert heeds.stdout is not None and heeds.stdout.readline() == b"ready\n"
    heeds.send_signal(signal.SIGHUP)
    if nohup:
        with pytest.raises(subprocess.TimeoutExpired):
            heeds.wait(0.3)
        heeds.terminate()
    heeds.communicate(timeout=PATIENCE)
    assert heeds.returncode == 7
