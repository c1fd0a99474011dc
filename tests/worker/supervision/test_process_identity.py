"""Telling living processes from dead ones."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.supervision import process_identity

ROOT = Path(__file__).parents[3]
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here")


def test_two_processes_of_one_machine_agree() -> None:
    script = (
        "import os; from worker.supervision import process_identity as own\n"
        "print(own.machine(), own.started(os.getppid()), sep='|')"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"{process_identity.machine()}|{process_identity.started(os.getpid())}"


def test_a_start_is_constant_and_differs_from_a_later_one() -> None:
    own = process_identity.started(os.getpid())
    assert own is not None and own == process_identity.started(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
        began = process_identity.started(later.pid)
        assert began is not None and began > own
        later.communicate(b"\n")
    assert process_identity.started(later.pid) is None


@linux
def test_a_process_that_nobody_reaped_is_gone() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child}/stat").exists()
    assert process_identity.started(child) is None
    os.waitpid(child, 0)


@linux
def test_a_name_with_spaces_and_parentheses(tmp_path: Path) -> None:
    odd = tmp_path / "a) b (c"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "30"]) as child:
        began, own = process_identity.started(child.pid), process_identity.started(os.getpid())
        assert began is not None and own is not None and began >= own
        child.kill()


def test_no_such_process() -> None:
    assert process_identity.started(2**22 + 1) is None


@linux
@pytest.mark.parametrize("killable", [True, False])
def test_a_process_that_proc_hides_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killable: bool) -> None:
    """Mounted with hidepid=2, /proc has nothing of other users."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").touch()
    monkeypatch.setattr(process_identity, "PROC", tmp_path)
    if not killable:
        monkeypatch.setattr(os, "kill", forbid)
    began = process_identity.started(os.getppid())
    assert began is not None and math.isnan(began)


@linux
def test_a_process_that_proc_hides_and_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_identity, "PROC", tmp_path)
    assert process_identity.started(2**22 + 1) is None


def forbid(pid: int, number: int) -> None:
    raise PermissionError(pid)
