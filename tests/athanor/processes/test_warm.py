"""A warm parent: its forks are as good as started processes, and it is replaced when it dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from athanor.processes import warm as warm_module
from athanor.processes.bounded import Bounds, Child
from athanor.processes.warm import WarmParent
from tests.athanor.processes.test_bounded import libraries
from worker.supervision.trainer_start import ROOT

BOUNDS = Bounds(memory=2**34, seconds=60, file=2**20, output=2**10)
ECHO = """
import os, queue, sys, time
from athanor.processes.parent_watch import hold

lines = queue.SimpleQueue()
hold(os.fdopen(0, "rb", closefd=False), lines.put)
while True:
    line = lines.get().decode().strip()
    if line == "sleep":
        time.sleep(600)
    if line == "die":
        os._exit(7)
    print("x" * int(line) if line.isdecimal() else f"{line} {os.getpid()} {os.getppid()}", flush=True)
"""


@pytest.fixture
def warm() -> Iterator[WarmParent]:
    warm = WarmParent("json")
    yield warm
    warm.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the module `echo`."""
    (tmp_path / "echo.py").write_text(ECHO)
    libraries(monkeypatch, tmp_path)
    return tmp_path


def echo(folder: Path, warm: WarmParent | None) -> Child:
    return Child("echo", [], folder=folder, bounds=BOUNDS, warm=warm, is_asked=True)


@pytest.mark.parametrize("is_warm", [False, True])
def test_a_child_answers_line_by_line(folder: Path, warm: WarmParent, is_warm: bool) -> None:
    with echo(folder, warm if is_warm else None) as child:
        word, first, _ = child.ask(b"one", 30).split()
        assert (word, first) == (b"one", child.ask(b"two", 30).split()[1])
        assert child.ask(b"1000", 30) == b"x" * 1000 + b"\n"
        # More than its bound.
        assert not child.ask(b"2000", 30).endswith(b"\n")
        assert child.process.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize(("word", "code"), [(b"sleep", -signal.SIGKILL), (b"die", 7)])
def test_a_child_that_does_not_answer_is_ended(
    folder: Path, warm: WarmParent, is_warm: bool, word: bytes, code: int
) -> None:
    with echo(folder, warm if is_warm else None) as child:
        child.ask(b"one", 30)
        assert child.ask(word, 1) == b""
        assert child.process.wait(10) == code
        assert child.ask(b"another", 1) == b""


def test_children_of_one_parent_do_not_meet(folder: Path, warm: WarmParent) -> None:
    with echo(folder, warm) as one, echo(folder, warm) as other:
        _, pid, parent = one.ask(b"x", 30).split()
        _, other_pid, other_parent = other.ask(b"x", 30).split()
        assert pid != other_pid and parent == other_parent
        assert psutil.Process(int(parent)).num_threads() == 1
        assert len(psutil.Process(int(pid)).open_files()) == 0
        one.close()
        assert not psutil.pid_exists(int(pid))
        assert other.ask(b"x", 30).split()[1] == other_pid


def test_a_dead_parent_is_replaced_and_its_children_end(folder: Path, warm: WarmParent) -> None:
    with echo(folder, warm) as child:
        _, _, parent = child.ask(b"x", 30).split()
        os.kill(int(parent), signal.SIGKILL)
        assert child.process.wait(10) == -signal.SIGKILL
    with echo(folder, warm) as child:
        assert child.ask(b"x", 30).split()[2] != parent


def test_children_end_with_the_process_that_wanted_them(folder: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nimport pytest\n"
        "from tests.athanor.processes.test_warm import WarmParent, echo, libraries\n"
        "libraries(pytest.MonkeyPatch(), Path(sys.argv[1]))\n"
        "warm = WarmParent('json')\nchild = echo(Path(sys.argv[1]), warm)\n"
        "print(child.ask(b'x', 30).decode(), flush=True)\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        pids = [int(pid) for pid in service.stdout.readline().split()[1:]]
        were_there = [psutil.pid_exists(pid) for pid in pids]
        service.kill()
    assert were_there == [True, True]
    until = time.monotonic() + 10
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_parent_that_hangs_is_replaced_and_holds_nobody(
    folder: Path, warm: WarmParent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_module, "HUNG", 0.5)
    with echo(folder, warm) as child:
        hung = int(child.ask(b"x", 30).split()[2])
    os.kill(hung, signal.SIGSTOP)
    began = time.monotonic()
    with echo(folder, warm) as child:
        assert child.ask(b"x", 0.2) == b""
    assert time.monotonic() - began < 5
    with echo(folder, warm) as child:
        assert int(child.ask(b"x", 30).split()[2]) != hung


def test_a_parent_that_imports_slowly_is_no_parent_that_hangs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(warm_module, "HUNG", 0.5)
    (folder / "slow.py").write_text("import time\ntime.sleep(3)\n")
    slow = WarmParent("slow")
    request.addfinalizer(slow.close)
    began = time.monotonic()
    with echo(folder, slow) as child:
        assert child.ask(b"x", 0.2) == b""
    assert time.monotonic() - began > 2
    with echo(folder, slow) as child:
        _, _, parent = child.ask(b"x", 30).split()
    assert psutil.Process(int(parent)).create_time() < time.time() - 2.5
